//! Deliberate mistakes in the protocol, for the simulator to find. None of them exists in a normal build.
//!
//! Each is one the industry has made or that was thought of while the protocol was designed. A simulator that does not
//! find them proves nothing when it finds nothing.

/// One mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(not(coffre_sim), expect(unreachable_pub, reason = "only the simulator makes mistakes"))]
pub enum Mutant {
    /// The collector lists decisions before it lists intents.
    CommitsBeforeIntents,
    /// The collector does not look at intents.
    IntentsIgnored,
    /// The collector uses the marks of its plan: list, mark, sweep.
    MarkFromPlan,
    /// The collector reads its own condemned list only.
    BlindToOtherCollectors,
    /// The packs condemned by others count as homes.
    CondemnedCountsAsHome,
    /// A condemned pack with live blocks is left out of the deletion instead of emptied.
    SpareInsteadOfRescue,
    /// Live blocks of condemned packs are not copied.
    NoRescue,
    /// Packs are deleted before the copies of their live blocks are in the index.
    DeleteBeforeRescueIsIndexed,
    /// The condemned list is removed before the done marker is there.
    CondemnedRemovedBeforeDone,
    /// The done marker does not name the packs.
    DoneWithoutPacks,
    /// Old index segments are removed before their replacement is there.
    IndexRemovedBeforeReplaced,
    /// Packs of an index segment that are not condemned are forgotten when it is replaced.
    SurvivorsForgotten,
    /// What is not found in the index is believed to be missing without a second look.
    NoSecondLook,
    /// The collector lists deletions last.
    DeletionsListedLast,
    /// The writer does not look at condemned lists before it commits.
    NoCondemnedCheck,
    /// The writer does not look at done markers before it commits.
    NoDoneCheck,
    /// The writer looks at done markers before condemned lists.
    DoneBeforeCondemned,
    /// The writer checks before its intent is there.
    CheckBeforeIntent,
    /// The writer publishes no intent.
    NoIntent,
    /// The writer does not check the packs that it wrote itself.
    OwnPacksUnchecked,
    /// The writer does not check whether its base was deleted meanwhile.
    BaseUnchecked,
    /// The writer takes a decision that is there already for its own.
    ForeignDecisionAccepted,
    /// The writer removes its intent before the decision is there.
    IntentRemovedBeforeDecision,
    /// The intent of a committed point goes, and no receipt takes its place.
    NoReceipt,
    /// The janitor removes the abort marker when the intent is gone.
    AbortMarkerRemoved,
    /// The janitor removes the intent before the abort marker is there.
    IntentRemovedBeforeAbort,
    /// A deletion removes the decision instead of leaving a tombstone.
    DeletionUnlinks,
    /// Whoever may put is believed to have stored what it says.
    TrustEverybody,
    /// A copy of a block that nobody vouches for makes another one unneeded.
    AnyCopyIsAHome,
}

#[cfg(coffre_sim)]
mod active {
    use super::Mutant;
    use std::cell::Cell;

    thread_local! {
        static ACTIVE: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    impl Mutant {
        /// All of them.
        pub const ALL: &'static [Self] = &[
            Self::CommitsBeforeIntents,
            Self::IntentsIgnored,
            Self::MarkFromPlan,
            Self::BlindToOtherCollectors,
            Self::CondemnedCountsAsHome,
            Self::SpareInsteadOfRescue,
            Self::NoRescue,
            Self::DeleteBeforeRescueIsIndexed,
            Self::CondemnedRemovedBeforeDone,
            Self::DoneWithoutPacks,
            Self::IndexRemovedBeforeReplaced,
            Self::SurvivorsForgotten,
            Self::NoSecondLook,
            Self::DeletionsListedLast,
            Self::NoCondemnedCheck,
            Self::NoDoneCheck,
            Self::DoneBeforeCondemned,
            Self::CheckBeforeIntent,
            Self::NoIntent,
            Self::OwnPacksUnchecked,
            Self::BaseUnchecked,
            Self::ForeignDecisionAccepted,
            Self::IntentRemovedBeforeDecision,
            Self::NoReceipt,
            Self::AbortMarkerRemoved,
            Self::IntentRemovedBeforeAbort,
            Self::DeletionUnlinks,
            Self::TrustEverybody,
            Self::AnyCopyIsAHome,
        ];

        /// Makes this mistake on this thread from now on; `None`: none.
        pub fn set(mutant: Option<Self>) {
            ACTIVE.set(mutant);
        }
    }

    /// Whether the code is to make this mistake.
    pub(crate) fn mistake(mutant: Mutant) -> bool {
        ACTIVE.get() == Some(mutant)
    }
}

#[cfg(coffre_sim)]
pub(crate) use active::mistake;

/// Whether the code is to make this mistake: never.
#[cfg(not(coffre_sim))]
#[inline(always)]
pub(crate) const fn mistake(_mutant: Mutant) -> bool {
    false
}
