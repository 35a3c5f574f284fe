// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a queue's CPU does: writes, reads back, compares.

use ims_virtio_driver::Registers;
use ims_virtio_driver::block::{BlockQueue, Request, Segment};
use vm_memory::{Bytes, GuestAddress};

use super::bells::Bell;
use super::{Memory, QUEUE, QUEUES, Wired};
use ims_virtio_driver::shared::Window;

pub type Queue<R = Wired> = BlockQueue<Window<Memory>, R, 64>;

/// Pieces of the disk that a queue has, and buffers.
pub const SLOTS: usize = 8;
/// Bytes of each.
pub const PIECE: usize = 4096;
/// Where in a queue's memory data begins.
pub const DATA: u64 = 0x1_0000;
/// Sectors of a queue's part of the disk.
pub const PART: u64 = (SLOTS * PIECE / 512) as u64;

/// Bytes of a disk for so many queues.
pub const fn disk(queues: u16) -> u64 {
    PART * 512 * queues as u64
}

/// What slot `slot` of `queue` holds after its write number `round`.
pub fn pattern(queue: u16, slot: usize, round: u32) -> Vec<u8> {
    let seed = u64::from(queue) << 40 | (slot as u64) << 32 | u64::from(round) << 1 | 1;
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(seed);
        (state >> 33) as u8
    };
    (0..PIECE).map(|_| next()).collect()
}

/// What a slot is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Writing(u32),
    Reading(u32),
    Done,
}

/// The load of one queue: each slot is written and read back `rounds` times.
pub struct Load {
    memory: Memory,
    index: u16,
    rounds: u32,
    slots: [At; SLOTS],
    tokens: Vec<Option<usize>>,
    pub requests: u64,
}

impl Load {
    pub fn new(memory: &Memory, index: u16, rounds: u32) -> Self {
        Self {
            memory: memory.clone(),
            index,
            rounds,
            slots: [At::Writing(0); SLOTS],
            tokens: vec![None; 64],
            requests: 0,
        }
    }

    fn buffer(&self, slot: usize) -> u64 {
        QUEUES + QUEUE * u64::from(self.index) + DATA + (slot * PIECE) as u64
    }

    pub fn is_done(&self) -> bool {
        self.slots.iter().all(|at| *at == At::Done)
    }

    fn submit<R: Registers + Clone>(&mut self, queue: &mut Queue<R>, slot: usize) {
        let buffer = self.buffer(slot);
        let sector = PART * u64::from(self.index) + (slot * PIECE / 512) as u64;
        let request = match self.slots[slot] {
            At::Writing(round) => {
                let pattern = pattern(self.index, slot, round);
                let to = GuestAddress(buffer);
                self.memory.write_slice(&pattern, to).unwrap();
                Request::Write { sector }
            }
            At::Reading(_) => {
                let to = GuestAddress(buffer);
                self.memory.write_slice(&[0xee; PIECE], to).unwrap();
                Request::Read { sector }
            }
            At::Done => return,
        };
        // In two pieces, so that a chain has four descriptors.
        let half = PIECE as u32 / 2;
        let segments = [0, half].map(|at| Segment {
            address: buffer + u64::from(at),
            length: half,
        });
        let token = queue.submit(request, &segments).unwrap();
        assert!(self.tokens[usize::from(token)].replace(slot).is_none());
        self.requests += 1;
    }

    /// Submits all that begins.
    pub fn begin<R: Registers + Clone>(&mut self, queue: &mut Queue<R>) {
        for slot in 0..SLOTS {
            self.submit(queue, slot);
        }
        queue.kick();
    }

    /// Takes what came back, checks it, and goes on; how many.
    pub fn go_on<R: Registers + Clone>(&mut self, queue: &mut Queue<R>) -> u32 {
        let mut count = 0;
        while let Some(completion) = queue.complete().unwrap() {
            assert_eq!(completion.result, Ok(()));
            let slot = self.tokens[usize::from(completion.token)].take();
            let slot = slot.expect("a token of ours");
            self.slots[slot] = match self.slots[slot] {
                At::Writing(round) => At::Reading(round),
                At::Reading(round) => {
                    let mut found = vec![0; PIECE];
                    let from = GuestAddress(self.buffer(slot));
                    self.memory.read_slice(&mut found, from).unwrap();
                    assert_eq!(found, pattern(self.index, slot, round));
                    if round + 1 < self.rounds {
                        At::Writing(round + 1)
                    } else {
                        At::Done
                    }
                }
                At::Done => panic!("completed when done"),
            };
            self.submit(queue, slot);
            count += 1;
        }
        queue.kick();
        count
    }

    /// Does it all, woken by `bell` alone: what is lost stops it.
    pub fn run<R: Registers + Clone>(&mut self, queue: &mut Queue<R>, bell: &Bell) {
        let mut seen = bell.count();
        self.begin(queue);
        while !self.is_done() {
            if self.go_on(queue) == 0 {
                let rang = bell.wait(&mut seen);
                let there = queue.want_interrupts(true).unwrap();
                let flight = queue.in_flight();
                assert!(
                    rang,
                    "queue {}: no interrupt, {flight} in flight, something there: {there}",
                    self.index
                );
            }
        }
        assert_eq!(queue.in_flight(), 0);
    }
}
