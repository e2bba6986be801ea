//! The one place with `unsafe`: an actor finds its way back to the scheduler from deep inside the code under test.
//!
//! The code under test calls an ordinary, blocking `Bucket`. That call must suspend the coroutine that it runs in. The
//! coroutine library hands the way out (the `Yielder`) only to the outermost function, so its address is kept in a
//! thread-local cell while the coroutine runs.

#![expect(
    unsafe_code,
    reason = "the way back to the scheduler is an address kept in a thread-local cell"
)]

use std::cell::{Cell, RefCell};

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

/// Enough for the deepest call of the code under test in a debug build; touched pages only cost memory.
const STACK_BYTES: usize = 1024 * 1024;

/// What the scheduler tells an actor when it lets it go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resume {
    /// Perform the operation.
    Go,
    /// The process of this actor is dead: every operation fails, now and later, without any effect.
    Dead,
}

type Way = Yielder<Resume, ()>;

thread_local! {
    static WAY: Cell<*const Way> = const { Cell::new(std::ptr::null()) };
    static STACKS: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
}

/// A piece of blocking code that stops at each of its store operations.
pub(super) struct Fiber {
    coroutine: Option<Coroutine<Resume, (), (), DefaultStack>>,
    way: *const Way,
}

impl Fiber {
    pub(super) fn new(work: impl FnOnce() + 'static) -> Self {
        let stack = STACKS.with_borrow_mut(Vec::pop);
        let stack = stack.unwrap_or_else(|| {
            DefaultStack::new(STACK_BYTES).expect("the system has memory for a stack")
        });
        let coroutine = Coroutine::with_stack(stack, move |way: &Way, _first| {
            WAY.set(way);
            work();
        });
        Self { coroutine: Some(coroutine), way: std::ptr::null() }
    }

    /// Runs the fiber up to its next store operation. True when it has ended.
    pub(super) fn resume(&mut self, how: Resume) -> bool {
        let Some(coroutine) = self.coroutine.as_mut() else { return true };
        let outer = WAY.replace(self.way);
        let result = coroutine.resume(how);
        self.way = WAY.replace(outer);
        match result {
            CoroutineResult::Yield(()) => false,
            CoroutineResult::Return(()) => {
                let stack = self.coroutine.take().expect("it ran a moment ago").into_stack();
                STACKS.with_borrow_mut(|stacks| stacks.push(stack));
                true
            }
        }
    }
}

/// Stops the fiber that runs now until the scheduler lets it go on. Outside of a fiber nothing stops.
pub(super) fn suspend() -> Resume {
    let way = WAY.get();
    if way.is_null() {
        return Resume::Go;
    }
    // SAFETY: the address was set by the fiber that runs now, or put back by `Fiber::resume` before it went on; the
    // `Yielder` lives on the stack of that fiber as long as its outermost function, which is below us on the stack.
    unsafe { &*way }.suspend(())
}
