// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The numbers of queues: none is used twice at a time, nor again soon.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The numbers of a device's queues.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u32,
    used: HashSet<u32>,
}

/// A number in use; given back when dropped.
#[derive(Debug)]
pub(crate) struct Number {
    value: u32,
    numbers: Arc<Numbers>,
}

impl Numbers {
    /// The first of the numbers handed out: those below it are the configuration's.
    pub(crate) fn starting_at(next: u32) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                next,
                used: HashSet::new(),
            }),
        })
    }

    /// A number of the configuration.
    pub(crate) fn take(self: &Arc<Self>, value: u32) -> Number {
        self.lock().used.insert(value);
        self.number(value)
    }

    /// The next number that is not in use; `None` if all are.
    pub(crate) fn next(self: &Arc<Self>) -> Option<Number> {
        let mut state = self.lock();
        if u32::try_from(state.used.len()).is_err() {
            return None;
        }
        while state.used.contains(&state.next) {
            state.next = state.next.wrapping_add(1);
        }
        let value = state.next;
        state.used.insert(value);
        state.next = value.wrapping_add(1);
        drop(state);
        Some(self.number(value))
    }

    fn number(self: &Arc<Self>, value: u32) -> Number {
        Number {
            value,
            numbers: Arc::clone(self),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Number {
    pub(crate) fn get(&self) -> u32 {
        self.value
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        self.numbers.lock().used.remove(&self.value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_given_back_comes_again_last_and_one_in_use_never() {
        let numbers = Numbers::starting_at(u32::MAX);
        let zero = numbers.take(0);
        let last = numbers.next().unwrap();
        let one = numbers.next().unwrap();
        assert_eq!([zero.get(), last.get(), one.get()], [0, u32::MAX, 1]);
        drop(one);
        assert_eq!(numbers.next().unwrap().get(), 2);
    }
}
