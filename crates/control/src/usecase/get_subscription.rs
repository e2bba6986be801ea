//! Subscriptions and regions.

use super::find;
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::Refusal;
use crate::id::SubscriptionId;
use crate::model::{Region, Subscription};
use crate::port::Tx;

/// All subscriptions, by name.
pub fn list_subscriptions(tx: &mut dyn Tx, cx: &Cx<'_>) -> Result<Vec<Subscription>, Refusal> {
    cx.may(Action::Read)?;
    Ok(tx.subscriptions()?)
}

/// One subscription.
pub fn get_subscription(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    id: SubscriptionId,
) -> Result<Subscription, Refusal> {
    cx.may(Action::Read)?;
    find::subscription(tx, id)
}

/// All regions, by name.
pub fn list_regions(tx: &mut dyn Tx, cx: &Cx<'_>) -> Result<Vec<Region>, Refusal> {
    cx.may(Action::Read)?;
    Ok(tx.regions()?)
}
