//! Puts the resources of a plan in order.

use super::plan::Planned;
use super::{Evaluated, TemplateFault};

/// Sorts so that each comes after what it depends on, else in the order of the template.
pub(super) fn ordered(plan: Vec<Planned>) -> Evaluated<Vec<Planned>> {
    let mut place: Vec<Option<usize>> = vec![None; plan.len()];
    let mut order: Vec<usize> = Vec::new();
    while order.len() < plan.len() {
        let ready = (0..plan.len()).find(|&at| {
            place[at].is_none() && plan[at].after.iter().all(|it| place[*it].is_some())
        });
        let Some(at) = ready else {
            let ring: Vec<&str> = (0..plan.len())
                .filter(|&at| place[at].is_none())
                .map(|at| plan[at].id.as_str())
                .collect();
            return Err(TemplateFault::new(format!(
                "these resources depend on each other in a ring: {}",
                ring.join(", ")
            )));
        };
        place[at] = Some(order.len());
        order.push(at);
    }
    let moved = order.iter().map(|&at| {
        let after = plan[at].after.iter().filter_map(|it| place[*it]).collect();
        let mut moved = plan[at].clone();
        moved.after = after;
        moved
    });
    Ok(moved.collect())
}
