// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The workers of a device, and the line of queues that wait for one.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{io, mem};

/// How long a queue waits that was put off because its memory cannot be entered.
pub(crate) const RETRY: Duration = Duration::from_millis(10);

/// Stack of a worker, in bytes.
const STACK: usize = 256 << 10;

/// Whose queues are served; `T` is what each worker has of its own.
pub(crate) trait Serve<T>: Send + Sync {
    /// Serves one queue for a while.
    fn serve(&self, queue: u16, tool: &mut T) -> Served;
}

/// How a queue was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Served {
    /// Nothing is left; a call will come.
    Idle,
    /// There may be more: at the end of the line.
    More,
    /// It cannot be looked into: try again after [`RETRY`].
    Later,
}

/// A queue in line.
struct Ticket<T> {
    owner: Arc<dyn Serve<T>>,
    queue: u16,
}

struct Line<T> {
    ready: VecDeque<Ticket<T>>,
    later: Vec<Ticket<T>>,
    /// When `later` is tried again, if there is any.
    retry: Option<Instant>,
    closing: bool,
}

/// The line, as owners and workers share it.
pub(crate) struct Shared<T> {
    line: Mutex<Line<T>>,
    work: Condvar,
}

/// Workers, as many as tools were given. Dropping it stops and joins them.
pub(crate) struct Pool<T: Send + 'static> {
    shared: Arc<Shared<T>>,
    threads: Vec<JoinHandle<()>>,
}

impl<T> Line<T> {
    /// Puts those back in line whose time has come.
    fn retry_due(&mut self, now: Instant) {
        if self.retry.is_some_and(|at| at <= now) {
            self.ready.extend(self.later.drain(..));
            self.retry = None;
        }
    }
}

impl<T> Shared<T> {
    fn line(&self) -> MutexGuard<'_, Line<T>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a queue in line.
    pub(crate) fn push(&self, owner: Arc<dyn Serve<T>>, queue: u16) {
        self.line().ready.push_back(Ticket { owner, queue });
        self.work.notify_one();
    }

    /// Puts a queue in line for another time.
    fn put_off(&self, ticket: Ticket<T>) {
        let mut line = self.line();
        line.later.push(ticket);
        line.retry.get_or_insert_with(|| Instant::now() + RETRY);
        drop(line);
        // Somebody must wait no longer than that.
        self.work.notify_one();
    }

    /// Takes all queues of `owner` out of the line.
    pub(crate) fn forget(&self, owner: &Arc<dyn Serve<T>>) {
        let theirs =
            |ticket: &Ticket<T>| std::ptr::addr_eq(Arc::as_ptr(&ticket.owner), Arc::as_ptr(owner));
        let mut line = self.line();
        line.ready.retain(|ticket| !theirs(ticket));
        line.later.retain(|ticket| !theirs(ticket));
    }

    /// The next queue; `None` when the pool closes.
    fn next(&self) -> Option<Ticket<T>> {
        let mut line = self.line();
        loop {
            if line.closing {
                return None;
            }
            line.retry_due(Instant::now());
            if let Some(ticket) = line.ready.pop_front() {
                return Some(ticket);
            }
            line = match line.retry {
                None => self.work.wait(line).unwrap_or_else(PoisonError::into_inner),
                Some(at) => {
                    let left = at.saturating_duration_since(Instant::now());
                    let waited = self.work.wait_timeout(line, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn work(&self, mut tool: T) {
        while let Some(ticket) = self.next() {
            match ticket.owner.serve(ticket.queue, &mut tool) {
                Served::Idle => {}
                Served::More => self.push(ticket.owner, ticket.queue),
                Served::Later => self.put_off(ticket),
            }
        }
    }
}

impl<T: Send + 'static> Pool<T> {
    /// Starts a worker for each tool.
    ///
    /// # Errors
    /// The operating system gave no thread; none is left then.
    pub(crate) fn new(name: &str, tools: Vec<T>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            line: Mutex::new(Line {
                ready: VecDeque::new(),
                later: Vec::new(),
                retry: None,
                closing: false,
            }),
            work: Condvar::new(),
        });
        let mut pool = Self {
            shared,
            threads: Vec::new(),
        };
        for (number, tool) in tools.into_iter().enumerate() {
            let shared = Arc::clone(&pool.shared);
            let thread = thread::Builder::new()
                .name(format!("{name}{number}"))
                .stack_size(STACK)
                .spawn(move || shared.work(tool))?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    pub(crate) fn shared(&self) -> Arc<Shared<T>> {
        Arc::clone(&self.shared)
    }
}

impl<T: Send + 'static> Drop for Pool<T> {
    fn drop(&mut self) {
        self.shared.line().closing = true;
        self.shared.work.notify_all();
        for thread in self.threads.drain(..) {
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
        // Whoever is in line has this line too.
        let mut line = self.shared.line();
        let left = (mem::take(&mut line.ready), mem::take(&mut line.later));
        drop(line);
        drop(left);
    }
}
