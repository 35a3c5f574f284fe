// SPDX-License-Identifier: Apache-2.0 OR MIT
//! MSI, its registers and events, against a plain model.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::layout::NO_VECTOR;
use crate::layout::mmio::{INTERRUPT_CONFIG, INTERRUPT_USED};

/// What a driver does, and what happens to it.
#[derive(Debug, Clone, Copy)]
enum Step {
    Used(u16),
    Config,
    Select(u32),
    Configure(u32),
    Queue(u32),
    Command(u32),
    Acknowledge(u32),
    Reset,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u16..3).prop_map(Step::Used),
        2 => Just(Step::Config),
        4 => prop_oneof![0u32..5, Just(NO_VECTOR)].prop_map(Step::Select),
        3 => (1u32..1000).prop_map(Step::Configure),
        2 => (0u32..4).prop_map(Step::Queue),
        8 => (0u32..10).prop_map(Step::Command),
        2 => any::<u32>().prop_map(Step::Acknowledge),
        1 => Just(Step::Reset),
    ]
}

const VECTORS: u32 = 4;

/// What the chapter says, without atomics, slots or ways.
#[derive(Debug, Clone, Default)]
struct Model {
    sharing: bool,
    msi: bool,
    status: u32,
    selected: u32,
    queue: u32,
    vectors: [(Option<u32>, bool, bool); VECTORS as usize],
    map: [Option<u32>; 3],
    sent: Vec<u32>,
}

impl Model {
    fn new(sharing: bool) -> Self {
        let map = if sharing {
            [None; 3]
        } else {
            [Some(0), Some(1), Some(2)]
        };
        Self {
            sharing,
            map,
            ..Self::default()
        }
    }

    fn flush(&mut self, vector: u32) {
        let (message, masked, pending) = &mut self.vectors[vector as usize];
        if let Some(message) = message.filter(|_| !*masked && *pending) {
            *pending = false;
            self.sent.push(message);
        }
    }

    fn raise(&mut self, vector: u32) {
        self.vectors[vector as usize].2 = true;
        self.flush(vector);
    }

    fn event(&mut self, place: usize) {
        if !self.msi {
            self.status |= if place == 0 {
                INTERRUPT_CONFIG
            } else {
                INTERRUPT_USED
            };
        } else if let Some(vector) = self.map.get(place).copied().flatten() {
            self.raise(vector);
        }
    }

    fn command(&mut self, value: u32) {
        let selected = Some(self.selected).filter(|vector| *vector < VECTORS);
        match (value, selected) {
            (1, _) if !self.msi => {
                self.msi = true;
                let status = std::mem::take(&mut self.status);
                if status & INTERRUPT_CONFIG != 0 {
                    self.event(0);
                }
                if status & INTERRUPT_USED != 0 {
                    let vectors: BTreeSet<_> = self.map[1..].iter().flatten().copied().collect();
                    vectors.into_iter().for_each(|vector| self.raise(vector));
                }
            }
            (2, _) if self.msi => {
                self.msi = false;
                for vector in 0..VECTORS {
                    if std::mem::take(&mut self.vectors[vector as usize].2) {
                        let config = self.map[0] == Some(vector);
                        let queue = self.map[1..].contains(&Some(vector));
                        self.status |= if config || !queue {
                            INTERRUPT_CONFIG
                        } else {
                            0
                        };
                        self.status |= if queue || !config { INTERRUPT_USED } else { 0 };
                    }
                }
            }
            (4, Some(vector)) => self.vectors[vector as usize].1 = true,
            (5, Some(vector)) => {
                self.vectors[vector as usize].1 = false;
                self.flush(vector);
            }
            (6, _) if self.sharing => self.map[0] = selected,
            (7, _) if self.sharing && self.queue < 2 => {
                self.map[self.queue as usize + 1] = selected;
            }
            _ => {}
        }
    }

    fn configure(&mut self, data: u32) {
        if self.selected < VECTORS {
            self.vectors[self.selected as usize].0 = Some(data);
            self.flush(self.selected);
        }
    }
}

proptest! {
    #[test]
    fn registers_and_events_do_what_a_plain_model_does(
        sharing in any::<bool>(),
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let driver = Driver::with_msi(Layout::CLEAR, VECTORS, sharing);
        let begin = || {
            driver.agree(VERSION_1 | driver.layout.feature);
            driver.go();
            driver.write(mmio::QUEUE_SEL, 0);
        };
        begin();
        let mut model = Model::new(sharing);
        for step in steps {
            match step {
                Step::Used(queue) => {
                    driver.used(queue);
                    if queue < 2 || !model.msi {
                        model.event(usize::from(queue) + 1);
                    }
                }
                Step::Config => {
                    driver.config();
                    model.event(0);
                }
                Step::Select(vector) => {
                    driver.select(vector);
                    if vector < VECTORS || vector == NO_VECTOR {
                        model.selected = vector;
                    }
                }
                Step::Configure(data) => {
                    let address = address(data);
                    driver.write(msi::DATA, data);
                    driver.write(msi::ADDRESS_HIGH, (address >> 32) as u32);
                    driver.write(msi::ADDRESS_LOW, address as u32);
                    driver.command(Command::Configure);
                    model.configure(data);
                }
                Step::Queue(queue) => {
                    driver.write(mmio::QUEUE_SEL, queue);
                    model.queue = queue;
                }
                // With the address of the last, which the model does not keep.
                Step::Command(3) => {}
                Step::Command(value) => {
                    driver.write(driver.layout.command, value);
                    model.command(value);
                }
                Step::Acknowledge(bits) => {
                    driver.write(mmio::INTERRUPT_ACK, bits);
                    model.status &= !bits;
                }
                Step::Reset => {
                    driver.write(mmio::STATUS, 0);
                    begin();
                    model = Model { sent: std::mem::take(&mut model.sent), ..Model::new(sharing) };
                }
            }
            prop_assert_eq!(driver.inbox.take(), std::mem::take(&mut model.sent));
            prop_assert_eq!(driver.interrupt_status(), model.status);
            prop_assert_eq!(driver.pin.is_high(), model.status != 0);
            prop_assert_eq!(driver.enabled(), model.msi);
            let state = driver.mmio.save().msi.unwrap();
            let vectors = state.vectors.iter().map(|vector| {
                let message = vector.message.map(|message| message.data);
                (message, vector.masked, vector.pending)
            });
            prop_assert!(vectors.eq(model.vectors));
        }
    }
}
