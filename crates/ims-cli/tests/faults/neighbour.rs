// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A client that works all the time on a thread of its own, and checks all it gets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use crate::client::{Client, until};

/// A client at work, to which nothing may happen.
pub struct Neighbour {
    over: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
    worker: JoinHandle<Client>,
}

impl Neighbour {
    /// Works from now on.
    pub fn of(mut client: Client) -> Self {
        let (over, rounds) = <(Arc<AtomicBool>, Arc<AtomicU64>)>::default();
        let worker = thread::spawn({
            let (over, rounds) = (over.clone(), rounds.clone());
            move || {
                while !over.load(Ordering::Relaxed) {
                    client.round().unwrap();
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
                client
            }
        });
        let neighbour = Self {
            over,
            rounds,
            worker,
        };
        neighbour.goes_on();
        neighbour
    }

    /// Waits until it has done some more.
    pub fn goes_on(&self) {
        let before = self.rounds.load(Ordering::Relaxed);
        until("the neighbour's work", || {
            let ended = self.worker.is_finished();
            ended || self.rounds.load(Ordering::Relaxed) >= before + 3
        });
        assert!(!self.worker.is_finished(), "something happened to it");
    }

    /// Ends its work: nothing of it was harmed.
    pub fn finish(self) -> Client {
        self.over.store(true, Ordering::Relaxed);
        let client = self.worker.join().unwrap();
        client.untouched();
        client
    }
}
