// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Raising from any thread: each keeps a raiser of its own.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use ims::grace::{Flight, Raiser};

use crate::host::{Host, Inner};

thread_local! {
    /// This thread's raisers, one for each host it raises in.
    static RAISERS: RefCell<Vec<(Weak<Inner>, Raiser)>> = const { RefCell::new(Vec::new()) };
}

impl Host {
    /// A raiser to keep: for a thread that raises much.
    pub fn raiser(&self) -> Raiser {
        self.inner.control().hierarchy.raiser()
    }

    /// Runs `raise` inside a flight of this thread's own raiser, which is made at
    /// its first use and goes with the thread.
    pub fn fly<R>(&self, raise: impl FnOnce(&Flight<'_>) -> R) -> R {
        RAISERS.with(|raisers| {
            let Ok(mut raisers) = raisers.try_borrow_mut() else {
                // Inside another flight of this thread: a raiser for this once.
                return raise(&self.raiser().enter());
            };
            let mine = |(host, _): &(Weak<Inner>, Raiser)| {
                std::ptr::eq(host.as_ptr(), Arc::as_ptr(&self.inner))
            };
            let at = raisers.iter().position(mine).unwrap_or_else(|| {
                raisers.retain(|(host, _)| host.strong_count() > 0);
                raisers.push((Arc::downgrade(&self.inner), self.raiser()));
                raisers.len() - 1
            });
            match raisers.get_mut(at) {
                Some((_, raiser)) => raise(&raiser.enter()),
                None => raise(&self.raiser().enter()),
            }
        })
    }
}
