//! Collecting what no recovery point needs, beside running backups, with no clock and no lock.
//!
//! ```text
//! WRITER                                          COLLECTOR, run g (any number, even on the same lists)
//!   look at condemned lists and done markers        plan: lists, marks, choose packs
//!   packs, index segment                            create gc/condemned/g: a condemned pack will be deleted
//!   create pending/…: the roots of the point        read all condemned lists, then all done markers
//!   read condemned lists, then done markers         list deletions, intents, decisions (in this order); read the index
//!   a pack that it counts on is condemned or gone?  copy needed frames that have no home elsewhere; publish them
//!     begin again                                   replace index segments that name condemned packs
//!   a base was deleted? begin again                 delete the packs
//!   create rp/…: the commit                         create gc/done/g
//!   delete pending/…                                delete gc/condemned/g
//! ```
//!
//! Why it holds: the writer stores its intent and then loads the condemned lists; the collector stores its condemned
//! list and then loads the intents. At least one sees the other. Two collectors are the same argument. Names are never
//! used again, decisions and markers never removed, so a request that arrives late can do no harm. Clocks only say
//! whom to suspect of being abandoned; a wrong suspicion costs an attempt, never a point.
//!
//! The simulator (`crates/testkit`) runs this code against failing stores, with and without deliberate mistakes.

mod census;
mod epoch;
#[cfg(coffre_sim)]
pub mod inspect;
mod janitor;
mod lists;
mod mark;
mod mutant;
mod plan;
mod rescue;
mod run;
#[cfg(test)]
mod scale;
mod view;

use uuid::Uuid;

use crate::{Vault, VaultError};

pub use janitor::Unfinished;
#[cfg(coffre_sim)]
pub use mutant::Mutant;
#[cfg(not(coffre_sim))]
pub(crate) use mutant::Mutant;
pub(crate) use mutant::mistake;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// How to collect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectOptions {
    /// The time now, in milliseconds since 1970 (UTC). Decides only whom to suspect of being abandoned.
    pub now_unix_ms: i64,
    /// Packs that no point needs are left alone while they are younger than this (a writer may be about to publish
    /// them), in milliseconds; zero: none. What the clock gets wrong makes a writer begin again, and loses nothing.
    pub spare_younger_ms: u64,
    /// Points that were begun, or whose intent was written, so many milliseconds ago and that are still not committed
    /// are given up first, as by [`Vault::abandon_point`]: their writers died. Zero: all. A writer that is alive after
    /// all has to begin again.
    pub abandon_older_ms: u64,
    /// Packs of whose bytes less than this many percent are needed are rewritten, as long as all that is copied for it is
    /// at most one and a half times what it frees; zero: none, 100: all that hold anything unneeded, whatever it costs.
    pub repack_below_percent: u8,
    /// A plan that frees more than this many percent of the stored bytes is refused; 100: no limit.
    pub delete_percent_max: u8,
    /// Recovery points that the caller knows to be there; a vault that lists fewer is not collected. Zero: unknown.
    pub points_known: u64,
}

impl CollectOptions {
    /// What a scheduled collection uses: spares what is younger than a day, gives up what was begun a week ago, rewrites
    /// packs as far as that is worth its cost, and has no limit on what is freed.
    pub fn at(now_unix_ms: i64) -> Self {
        Self {
            now_unix_ms,
            spare_younger_ms: DAY_MS,
            abandon_older_ms: 7 * DAY_MS,
            repack_below_percent: 95,
            delete_percent_max: 100,
            points_known: 0,
        }
    }
}

/// What a collection would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CollectPlan {
    /// Committed points that are not deleted.
    pub live_points: u64,
    /// Points with a deletion mark.
    pub deleted_points: u64,
    /// Bytes of all packs that are not on their way out already.
    pub stored_bytes: u64,
    /// Packs that nothing needs.
    pub dead_packs: u64,
    /// Packs that are rewritten because little of them is needed.
    pub sparse_packs: u64,
    /// Packs that are merged because there are many small ones.
    pub small_packs: u64,
    /// Bytes of the packs of these kinds.
    pub condemned_bytes: u64,
    /// Bytes that are copied out of them first.
    pub rescue_bytes: u64,
    /// Packs that an earlier, interrupted collection condemned; their deletion is completed.
    pub unfinished_packs: u64,
}

/// What a collection did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CollectReport {
    /// What it was going to do.
    pub plan: CollectPlan,
    /// Its run, if it condemned anything.
    pub run: Option<Uuid>,
    /// Packs deleted, those of interrupted runs included.
    pub packs_deleted: u64,
    /// Their bytes, as far as the store listed them.
    pub bytes_deleted: u64,
    /// Packs that the store does not let us delete yet, as a lock protects them. They stay condemned; what was needed of
    /// them has been copied, and a later collection deletes them.
    pub packs_deferred: u64,
    /// Their bytes.
    pub bytes_deferred: u64,
    /// Bytes of frames that were copied.
    pub bytes_rescued: u64,
    /// Index segments that were replaced or removed.
    pub segments_replaced: u64,
    /// Points that were given up because their writers died.
    pub points_abandoned: u64,
    /// Left-overs of decided points that were removed.
    pub intents_removed: u64,
}

impl Vault {
    /// What [`Vault::collect`] would do now. Changes nothing.
    ///
    /// # Errors
    /// As [`Vault::collect`].
    pub fn collect_plan(&self, options: &CollectOptions) -> Result<CollectPlan, VaultError> {
        run::collect_plan(&self.inner, options)
    }

    /// Frees what no recovery point needs. May run beside backups, restores and other collections, and may be stopped
    /// anywhere: the next one completes what it finds.
    ///
    /// # Errors
    /// [`VaultError::MissingKey`] without the right to delete; [`VaultError::GcStopped`] if what the store lists cannot
    /// be right or a point misses something (nothing was deleted then); [`VaultError::Damaged`] if something that would
    /// have to be moved is damaged; [`VaultError::Bucket`].
    pub fn collect(&self, options: &CollectOptions) -> Result<CollectReport, VaultError> {
        run::collect(&self.inner, options)
    }

    /// The points that somebody began and has not committed: running backups, and those that died. A point may be
    /// listed twice.
    ///
    /// # Errors
    /// If the store fails or a record is damaged.
    pub fn unfinished(&self) -> Result<Vec<Unfinished>, VaultError> {
        janitor::unfinished(&self.inner)
    }

    /// Gives a point up: it can never be committed from now on, and what its writer left may be collected. A point
    /// that is committed stays. Safe for a writer that is still at work; it gets [`VaultError::Aborted`].
    ///
    /// # Errors
    /// [`VaultError::MissingKey`] without the right to delete; [`VaultError::Bucket`].
    pub fn abandon_point(&self, id: Uuid) -> Result<(), VaultError> {
        janitor::abandon(&self.inner, id)
    }
}

fn stop(reason: String) -> VaultError {
    VaultError::GcStopped { reason }
}
