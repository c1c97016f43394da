//! A shell on a platform that calls back as it likes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::{Rc, Weak};

use super::Shell;
use super::backend::{Backend, Input};

/// A shell whose backend may be called back at any moment.
///
/// Whatever calls into a platform may find itself called back before that call returns, today or in
/// a later version of it. So what happens is queued, and while something is being done nothing but
/// the queue is touched: it is handled when the present thing is done. Nobody is woken before.
pub(crate) struct Reentrant<B: Backend> {
    me: Weak<Self>,
    shell: RefCell<Shell<B>>,
    queue: Queue<B::Channel>,
    /// Itself, after the transport was dropped, until its connections have sent what they have.
    leaving: RefCell<Option<Rc<Self>>>,
}

type Queue<C> = Rc<RefCell<VecDeque<Input<C>>>>;

impl<B: Backend + 'static> Reentrant<B> {
    /// Has a shell made, whose backend reports by what it is given.
    pub(crate) fn new(make: impl FnOnce(Reporter<B::Channel>) -> Shell<B>) -> Rc<Self> {
        let queue = Queue::default();
        Rc::new_cyclic(|me: &Weak<Self>| Self {
            me: me.clone(),
            shell: RefCell::new(make(Reporter {
                queue: Rc::clone(&queue),
                shell: me.clone(),
            })),
            queue,
            leaving: RefCell::default(),
        })
    }
}

impl<B: Backend> Reentrant<B> {
    /// Looks at the shell. Not to be called by a backend.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&Shell<B>) -> R) -> R {
        read(&self.shell.borrow())
    }

    /// Lets the shell do something, and then, without a borrow of it, wakes whom that concerns. Not
    /// to be called by a backend.
    pub(crate) fn act<R>(&self, act: impl FnOnce(&mut Shell<B>) -> R) -> R {
        let (result, waker, is_over) = {
            let mut shell = self.shell.borrow_mut();
            let result = act(&mut shell);
            (result, shell.take_waker(), shell.is_over())
        };
        if is_over {
            // Whoever called has a reference of its own.
            drop(self.leaving.take());
        }
        if let Some(waker) = waker {
            waker.wake();
        }
        // The shell has asked for the last time before it set its timer, which may have called
        // back.
        if !self.queue.borrow().is_empty() {
            self.run();
        }
        result
    }

    /// Ends as [`Shell::leave`] does, and stays alive until that is done.
    pub(crate) fn leave(&self) {
        *self.leaving.borrow_mut() = self.me.upgrade();
        self.act(Shell::leave);
    }
}

/// Something that can be set going.
trait Run {
    fn run(&self);
}

impl<B: Backend> Run for Reentrant<B> {
    fn run(&self) {
        // Otherwise it is running, and comes to the queue by itself.
        if self.shell.try_borrow_mut().is_ok() {
            self.act(Shell::run);
        }
    }
}

/// The way by which a backend's callbacks reach the shell. It does not keep the shell alive.
pub(crate) struct Reporter<C> {
    queue: Queue<C>,
    shell: Weak<dyn Run>,
}

impl<C> Reporter<C> {
    /// Something happened. It is handled before this returns, unless the shell is in a call.
    pub(crate) fn report(&self, input: Input<C>) {
        let Some(shell) = self.shell.upgrade() else {
            return;
        };
        self.queue.borrow_mut().push_back(input);
        shell.run();
    }

    /// The next thing that was reported, for [`Backend::poll_input`].
    pub(crate) fn poll(&self) -> Option<Input<C>> {
        self.queue.borrow_mut().pop_front()
    }
}

impl<C> Clone for Reporter<C> {
    fn clone(&self) -> Self {
        Self {
            queue: Rc::clone(&self.queue),
            shell: Weak::clone(&self.shell),
        }
    }
}

impl<C> fmt::Debug for Reporter<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter").finish_non_exhaustive()
    }
}
