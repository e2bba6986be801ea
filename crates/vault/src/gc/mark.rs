//! Which blocks and nodes are needed: everything under the roots of points that are, and of points that may yet be.

use super::census::{Census, Root};
use super::mutant::{Mutant, mistake};
use super::stop;
use super::view::View;
use crate::VaultError;
use crate::bucket::BucketError;
use crate::format::{Id, Node};
use crate::inner::Inner;

/// How often the index is read again because something moved while we looked.
const ATTEMPTS: usize = 64;

/// One bit for each identity of a view, by rank.
#[derive(Debug)]
pub(super) struct Marks {
    bits: Vec<u64>,
    /// Something that an intent needs is in no pack.
    missing: bool,
}

impl Marks {
    fn new(view: &View) -> Self {
        Self { bits: vec![0; view.rank_limit().div_ceil(64)], missing: false }
    }

    /// Whether the identity of this rank is needed.
    pub(super) fn has(&self, rank: usize) -> bool {
        self.bits[rank / 64] & 1 << (rank % 64) != 0
    }

    /// True if it was not marked before.
    fn set(&mut self, rank: usize) -> bool {
        let fresh = !self.has(rank);
        self.bits[rank / 64] |= 1 << (rank % 64);
        fresh
    }
}

/// What was looked at: points, index, marks.
pub(super) type Look = (Census, View, Marks);

/// Lists the points, reads the index and marks what the points need.
///
/// A committed point that misses something stops the collection: an incomplete index must not make anything look
/// unneeded. Unless it was deleted since it was listed, and its blocks collected by somebody else; then all is looked
/// at again, from the start: what that point protected may have gone over to an intent.
pub(super) fn look(inner: &Inner, known: Option<&Census>) -> Result<Look, VaultError> {
    let mut census = Census::take(inner, known)?;
    for _ in 0..ATTEMPTS {
        match survey(inner, &census)? {
            Ok((view, marks)) => return Ok((census, view, marks)),
            Err(id) => {
                let again = Census::take(inner, Some(&census))?;
                if again.deleted == census.deleted {
                    return Err(stop(format!(
                        "{id:?}, which a recovery point needs, is in no pack; verify the vault"
                    )));
                }
                census = again;
            }
        }
    }
    Err(stop("points are deleted faster than they can be listed".to_owned()))
}

/// Reads the index and marks what the points of a census need. The inner error is what a committed point misses.
///
/// Something that is not found may have been moved by another collector a moment ago. It is missing only if the index
/// still lists the same segments after the search. An intent that misses something was written against packs that are
/// condemned; its writer will see that, and what it lacks it will write anew.
pub(super) fn survey(
    inner: &Inner,
    census: &Census,
) -> Result<Result<(View, Marks), Id>, VaultError> {
    for _ in 0..ATTEMPTS {
        let view = View::load(inner)?;
        let mut marks = Marks::new(&view);
        let mut lost = None;
        for root in census.committed_roots() {
            let missing = mark(inner, &view, &mut marks, root)?;
            lost = lost.or(missing);
        }
        for root in census.intended_roots() {
            marks.missing |= mark(inner, &view, &mut marks, root)?.is_some();
        }
        let complete = lost.is_none() && !marks.missing;
        if complete || mistake(Mutant::NoSecondLook) || view.is_current(inner)? {
            return Ok(lost.map_or(Ok((view, marks)), Err));
        }
    }
    Err(stop("the index changes faster than it can be read".to_owned()))
}

/// Marks all under a root. Gives something that is missing.
fn mark(
    inner: &Inner,
    view: &View,
    marks: &mut Marks,
    root: Root,
) -> Result<Option<Id>, VaultError> {
    let mut missing = None;
    let mut stack = vec![root];
    while let Some((id, level)) = stack.pop() {
        let Some((rank, copies)) = view.copies(&id) else {
            missing = missing.or(Some(id));
            continue;
        };
        if !marks.set(rank) {
            continue;
        }
        let Some(node) = read(inner, view, &id, level, copies)? else {
            missing = missing.or(Some(id));
            continue;
        };
        for (_, child) in node.children() {
            if level > 0 {
                stack.push((child, level - 1));
            } else {
                missing = missing.or(mark_block(view, marks, &child));
            }
        }
    }
    Ok(missing)
}

fn mark_block(view: &View, marks: &mut Marks, id: &Id) -> Option<Id> {
    let Some((rank, copies)) = view.copies(id) else { return Some(*id) };
    marks.set(rank);
    if copies.iter().any(|position| view.pack_at(*position).present) { None } else { Some(*id) }
}

/// Reads a node from any of its copies, `None` if all are gone.
fn read(
    inner: &Inner,
    view: &View,
    id: &Id,
    level: u8,
    copies: &[u32],
) -> Result<Option<Node>, VaultError> {
    let (mut failed, mut gone) = (None, false);
    for position in copies {
        let (pack, place) = view.location(*position);
        match inner.read_node(id, level, pack, place) {
            Ok(node) => return Ok(Some(node)),
            // Moved, perhaps: the index may say more when it is read again.
            Err(VaultError::Bucket(BucketError::NotFound { .. })) => gone = true,
            // Another copy may be sound.
            Err(error) if error.is_damage() => failed = Some(error),
            Err(error) => return Err(error),
        }
    }
    // Where somebody may lie, what is left may be lies while the good copy is being moved: as if there were none.
    failed.filter(|_| !gone && !view.distrust).map_or(Ok(None), Err)
}
