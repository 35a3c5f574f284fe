// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A worker's part: takes what is available in a queue, and has it worked on.

use std::time::{Duration, Instant};

use vm_memory::GuestMemory;

use super::lane::Lane;
use super::pool::{Serve, Served};
use super::ring::{RingError, Used};
use super::run::{RETRIES, Run, Worker};
use super::{Job, Work};
use crate::memory::Memory;

/// Chains that a worker takes of one queue before it looks at the next.
const BURST: u32 = 32;

/// How long a worker keeps a session for the next chain: what is unmapped meanwhile
/// waits for it.
const KEEP: Duration = Duration::from_millis(1);

/// How a look at the available ring ended.
enum Step {
    /// A chain was worked on.
    Done(Used),
    /// Nothing was there, and the driver knows that it must notify.
    Empty,
    /// Something came just now.
    Again,
    /// Some of the chain was not in memory. This is what would be told.
    Unreachable(Used),
    /// The ring itself.
    Ring(RingError),
}

impl<M: Memory, W: Work> Run<M, W> {
    /// Takes a chain and works on it.
    fn step<G: GuestMemory>(&self, lane: &Lane, memory: &G, worker: &mut Worker<W::Tool>) -> Step {
        let mut ring = lane.ring();
        let chain = match ring.take(memory) {
            Ok(Some(chain)) => chain,
            Ok(None) => {
                return match ring.look_away(memory) {
                    Ok(false) => Step::Empty,
                    Ok(true) => Step::Again,
                    Err(error) => Step::Ring(error),
                };
            }
            Err(error) => return Step::Ring(error),
        };
        drop(ring);
        let head = chain.head_index();
        worker.chain.fill(chain, self.longest);
        let job = Job {
            features: self.features,
            stopped: &self.stopped,
        };
        let outcome = self.work.work(&mut worker.tool, job, memory, &worker.chain);
        let used = Used {
            head,
            written: outcome.written,
        };
        if outcome.unreachable || !worker.chain.is_whole() {
            Step::Unreachable(used)
        } else {
            Step::Done(used)
        }
    }

    /// Says that a chain is worked on, to where its interrupt points.
    fn finish(&self, lane: &Lane, used: Used) {
        lane.finish(used);
        self.raise(lane);
    }

    /// Works on one queue for a burst.
    fn serve_lane(&self, queue: u16, lane: &Lane, worker: &mut Worker<W::Tool>) -> Served {
        if self.is_stopped() {
            return Served::Idle;
        }
        let Some(mut memory) = self.memory.enter() else {
            return Served::Later;
        };
        if lane.has_done() {
            // It may have been put off, as memory was away when it was to be told.
            self.raise(lane);
        }
        if lane.is_broken() {
            return Served::Idle;
        }
        // If this fails, so does the first step.
        let _ = lane.ring().look(&*memory);
        let mut retries = 0;
        let mut entered = Instant::now();
        for _ in 0..BURST {
            if self.is_stopped() {
                return Served::Idle;
            }
            if entered.elapsed() > KEEP {
                break;
            }
            let failed = match self.step(lane, &*memory, worker) {
                Step::Done(used) => {
                    self.finish(lane, used);
                    retries = 0;
                    continue;
                }
                Step::Empty => return Served::Idle,
                Step::Again => continue,
                Step::Ring(RingError::Invalid) => {
                    self.break_off(queue, lane, RingError::Invalid);
                    return Served::Idle;
                }
                Step::Ring(RingError::Unreachable) => None,
                Step::Unreachable(used) => Some(used),
            };
            match self.memory.enter() {
                Some(again) if retries < RETRIES => {
                    retries += 1;
                    memory = again;
                    // Or what takes long would be tried for ever.
                    entered = Instant::now();
                }
                Some(_) => {
                    let Some(used) = failed else {
                        self.break_off(queue, lane, RingError::Unreachable);
                        return Served::Idle;
                    };
                    self.finish(lane, used);
                    retries = 0;
                    continue;
                }
                None => {
                    if failed.is_some() {
                        lane.ring().give_back();
                    }
                    return Served::Later;
                }
            }
            if failed.is_some() {
                lane.ring().give_back();
            }
        }
        Served::More
    }
}

impl<M: Memory, W: Work> Serve<Worker<W::Tool>> for Run<M, W> {
    fn serve(&self, queue: u16, worker: &mut Worker<W::Tool>) -> Served {
        let Some(lane) = self.lane(queue) else {
            return Served::Idle;
        };
        lane.turn.begin();
        let served = match self.serve_lane(queue, lane, worker) {
            // It must not stand in line and keep the hold.
            _ if self.is_stopped() => Served::Idle,
            served => served,
        };
        match served {
            Served::Idle if lane.turn.end() => Served::More,
            Served::Idle => Served::Idle,
            other => {
                lane.turn.stay();
                other
            }
        }
    }
}
