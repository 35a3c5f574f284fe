// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Many queues, each driven by a thread of its own, several requests in flight.

use std::thread;

use vm_memory::{Bytes, GuestAddress};

use super::machine::{Machine, bytes, put_header};
use crate::block::{Block, BlockOptions};
use crate::device::Device;
use crate::layout::block::{feature, request, status};
use crate::layout::features::RING_EVENT_IDX;
use crate::queues::testing::{Driver, RINGS, Ram, Told};

const QUEUES: u16 = 8;
/// Requests in flight, each with eight sectors of its own.
const SLOTS: usize = 8;
const SLOT_SECTORS: u64 = 8;
const SLOT_BYTES: usize = 4096;
const ROUNDS: u32 = 400;

/// A step of a linear congruential generator.
fn next(state: &mut u32) -> u32 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    *state >> 8
}

/// One thread's part.
struct Part<'a> {
    block: &'a Block,
    told: &'a Told,
    queue: u16,
    driver: Driver,
    event_idx: bool,
    state: u32,
    /// What is on the disk, in each slot's sectors.
    model: Vec<Vec<u8>>,
    /// The head of what is in flight in a slot, and whether it writes.
    flying: Vec<Option<(u16, bool)>>,
}

impl Part<'_> {
    fn at(&self, slot: usize) -> u64 {
        self.driver.base + RINGS + 0x1800 * slot as u64
    }

    fn sector(&self, slot: usize) -> u64 {
        (u64::from(self.queue) * SLOTS as u64 + slot as u64) * SLOT_SECTORS
    }

    fn launch(&mut self, slot: usize) {
        let at = self.at(slot);
        let write = next(&mut self.state).is_multiple_of(2);
        let kind = if write { request::OUT } else { request::IN };
        let sector = self.sector(slot);
        let ram = &self.driver.ram;
        put_header(ram, at, kind, sector);
        ram.write_obj(0xff_u8, GuestAddress(at + 16)).unwrap();
        let byte = next(&mut self.state) as u8;
        let data = vec![byte; SLOT_BYTES];
        ram.write_slice(&data, GuestAddress(at + 0x800)).unwrap();
        if write {
            self.model[slot] = data;
        }
        let chain = [
            (at, 16, false),
            (at + 0x800, SLOT_BYTES as u32, !write),
            (at + 16, 1, true),
        ];
        let (before, _) = self.driver.position();
        let head = self.driver.add(&chain).unwrap();
        self.flying[slot] = Some((head, write));
        if self.driver.wants_notify(self.event_idx, before) {
            Device::<Ram>::notify(self.block, self.queue);
        }
    }

    /// Waits until something is used, and checks all that is.
    fn land(&mut self) {
        let (_, seen) = self.driver.position();
        self.driver.tell_after(seen);
        let mut used = Vec::new();
        let driver = &mut self.driver;
        self.told.wait(|_| {
            used.extend(std::iter::from_fn(|| driver.take()));
            !used.is_empty()
        });
        for (head, written) in used {
            let is_it = |flying: &Option<(u16, bool)>| flying.is_some_and(|(it, _)| it == head);
            let slot = self.flying.iter().position(is_it).unwrap();
            let (_, write) = self.flying[slot].take().unwrap();
            let at = self.at(slot);
            let ram = &self.driver.ram;
            assert_eq!(bytes(ram, at + 16, 1), [status::OK]);
            assert_eq!(written as usize, if write { 1 } else { SLOT_BYTES + 1 });
            if !write {
                assert!(bytes(ram, at + 0x800, SLOT_BYTES) == self.model[slot]);
            }
        }
    }

    fn run(mut self) -> Vec<Vec<u8>> {
        for _ in 0..ROUNDS {
            for slot in 0..SLOTS {
                if self.flying[slot].is_none() && next(&mut self.state).is_multiple_of(2) {
                    self.launch(slot);
                }
            }
            if self.flying.iter().any(Option::is_some) {
                self.land();
            }
        }
        while self.flying.iter().any(Option::is_some) {
            self.land();
        }
        self.model
    }
}

#[test]
fn many_queues_driven_at_a_time_lose_and_mix_nothing() {
    for event_idx in [0, RING_EVENT_IDX] {
        let options = BlockOptions {
            queues: QUEUES,
            queue_size: 32,
            workers: 3,
            ..BlockOptions::default()
        };
        let mut machine = Machine::started(&options, feature::FLUSH | event_idx);
        let drivers = std::mem::take(&mut machine.drivers);
        let (block, told) = (&*machine.block, &*machine.told);
        let models: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..)
                .zip(drivers)
                .map(|(queue, driver)| {
                    let part = Part {
                        block,
                        told,
                        queue,
                        driver,
                        event_idx: event_idx != 0,
                        state: u32::from(queue) + 1,
                        model: vec![vec![0; SLOT_BYTES]; SLOTS],
                        flying: vec![None; SLOTS],
                    };
                    scope.spawn(move || part.run())
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        let model: Vec<u8> = models.into_iter().flatten().flatten().collect();
        assert!(machine.file.read(0, model.len()) == model);
        assert_eq!(machine.told.counts().resets, 0);
    }
}
