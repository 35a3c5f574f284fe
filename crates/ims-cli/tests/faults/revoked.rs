// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Handles that are taken back at work. A driver that looks at its records only when
//! it is interrupted, as a kernel's does, comes through it.
//!
//! A descriptor that passed its check before the handle was taken back may end
//! without its interrupt. So the driver that was told asks for new handles and sends
//! a drain with each: its interrupt comes after everything before it has ended.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ims_dsa::layout::registers::cause;
use ims_dsa::layout::{Descriptor, Flags, Opcode, Status};
use zerocopy::little_endian::U64;

use crate::client::{Client, LIMIT, RECORD_PLACES, VECTORS, WINDOW, until};
use crate::counts::{agree, device};
use crate::neighbour::Neighbour;
use crate::{client, served};

/// How often handles are taken back.
const REVOCATIONS: usize = 25;
const INVALID: u8 = Status::InvalidHandle.code();
const SUCCESS: u8 = Status::Success.code();

/// A driver that is led by interrupts alone.
struct Led {
    client: Client,
    /// Places whose copy has not succeeded.
    open: [bool; WINDOW],
    succeeded: u64,
    /// Ended with status 0x19 and submitted again.
    refused: u64,
    drains: u64,
    told: u64,
}

impl Led {
    fn new(client: Client) -> Self {
        Self {
            client,
            open: [false; WINDOW],
            succeeded: 0,
            refused: 0,
            drains: 0,
            told: 0,
        }
    }

    /// A window of copies, each to its success.
    fn round(&mut self) {
        for place in 0..WINDOW {
            self.client.begin(place).unwrap();
            self.open[place] = true;
        }
        let deadline = Instant::now() + LIMIT;
        while self.open.contains(&true) {
            assert!(Instant::now() < deadline, "an interrupt is lost");
            let limit = Duration::from_millis(100);
            if !self.client.driver.vectors().wait_any(limit).unwrap() {
                continue;
            }
            if self.client.driver.vectors().taken(0).unwrap() > 0 {
                self.told();
            }
            for vector in 1..VECTORS {
                if self.client.take_signals(vector, Duration::ZERO).unwrap() > 0 {
                    self.look();
                }
            }
        }
    }

    /// The miscellaneous interrupt.
    fn told(&mut self) {
        // Commands take signals of this vector, too; so until there is no cause.
        while self.client.driver.take_causes().unwrap() & cause::HANDLES_REVOKED != 0 {
            self.told += 1;
            self.client.request_handles().unwrap();
            for vector in 0..VECTORS - 1 {
                self.drain(vector);
            }
        }
    }

    /// Has a vector interrupt when all that was submitted has ended.
    fn drain(&mut self, vector: u16) {
        let place = WINDOW + usize::from(vector);
        assert!(place < RECORD_PLACES);
        let record = self.client.record(place);
        let drain = Descriptor {
            completion: U64::new(record),
            ..Descriptor::new(Opcode::Drain, Flags::RECORD_VALID | Flags::REQUEST_RECORD)
        };
        let handle = self.client.handles[usize::from(vector)];
        let drain = Client::interrupting(drain, handle);
        self.client.driver.submit(0, false, &drain).unwrap();
        self.client.submitted += 1;
        self.drains += 1;
    }

    /// What has ended.
    fn look(&mut self) {
        for place in 0..WINDOW {
            let record = self.client.record(place);
            let ended = self.client.driver.arena.completion(record).unwrap();
            let Some(completion) = ended.filter(|_| self.open[place]) else {
                continue;
            };
            match completion.status {
                SUCCESS => {
                    assert!(self.client.is_copied(place));
                    self.open[place] = false;
                    self.succeeded += 1;
                }
                INVALID => {
                    // Checked before anything is done.
                    assert!(!self.client.is_copied(place));
                    self.refused += 1;
                    self.client.again(place).unwrap();
                }
                status => panic!("{status:#x}"),
            }
        }
    }
}

#[test]
fn a_driver_whose_handles_are_revoked_at_work_completes_everything_once() {
    for name in ["vdsa0", "dsa"] {
        let served = served(&format!("revoked-{name}"));
        let neighbour = Neighbour::of(client(&served, "vdsa1"));
        let mut led = Led::new(client(&served, name));
        let over = AtomicBool::new(false);
        let mut rounds = 0;
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..REVOCATIONS {
                    let revoked = served.ask(&["adi", "revoke", name]);
                    assert_eq!(revoked["answer"], "revoked");
                }
                over.store(true, Ordering::Relaxed);
            });
            while !over.load(Ordering::Relaxed) {
                led.round();
                rounds += 1;
            }
        });
        // With the handles there are now.
        led.told();
        led.round();
        rounds += 1;
        println!(
            "{name}: {rounds} rounds, told {} times, {} resubmitted",
            led.told, led.refused
        );
        assert!(led.told > 0, "nothing was revoked at work");
        assert_eq!(led.succeeded, rounds * WINDOW as u64);
        // A descriptor ends once: all there were are those.
        let mut queue = device(&served, name)["queues"][0].clone();
        until("drains", || {
            queue = device(&served, name)["queues"][0].clone();
            queue["waiting"] == 0
        });
        assert_eq!(queue["submitted"], led.client.submitted);
        assert_eq!(queue["refused"], 0);
        assert_eq!(
            led.client.submitted,
            led.succeeded + led.refused + led.drains
        );
        led.client.untouched();
        neighbour.goes_on();
        agree(&served, "vdsa1", &mut neighbour.finish());
    }
}
