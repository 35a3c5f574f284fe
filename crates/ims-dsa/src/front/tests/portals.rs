// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Stores become descriptors.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::front::slot::Slot;
use crate::layout::portal::PORTAL_SIZE;
use crate::layout::{Descriptor, Opcode};
use crate::testing::{interrupting, recorded};

/// A no-op that interrupts with `handle`: so it is known when it was executed.
fn numbered(handle: u16) -> Descriptor {
    interrupting(recorded(Opcode::NoOp, 64), handle)
}

fn raised(driver: &Driver) -> Vec<u16> {
    let raised = driver.world.recorder.raised.lock().unwrap();
    raised.iter().map(|(_, handle, _)| handle.number).collect()
}

#[test]
fn the_page_chooses_the_table() {
    let driver = Driver::enabled(16);
    for page in 0..4 {
        driver.store(0, page, 3, &numbered(u16::try_from(page).unwrap()));
    }
    driver.drain();
    let raised = driver.world.recorder.raised.lock().unwrap();
    let tables: Vec<_> = raised.iter().map(|(_, handle, _)| handle.table).collect();
    let (msix, ims) = (InterruptTable::MsiX, InterruptTable::Ims);
    assert_eq!(tables, [msix, msix, ims, ims]);
}

#[test]
fn eight_stores_are_a_descriptor() {
    let driver = Driver::enabled(16);
    let bytes = driver::bytes(&numbered(7));
    for (at, piece) in (0..).step_by(8).zip(bytes.chunks(8)) {
        assert!(raised(&driver).is_empty());
        driver.front.store(PORTAL_SIZE + 128 + at, piece);
    }
    driver.drain();
    assert_eq!(raised(&driver), [7]);
}

#[test]
fn a_store_may_span_descriptors() {
    let driver = Driver::enabled(16);
    let all: Vec<u8> = (0..4)
        .flat_map(|one| driver::bytes(&numbered(one)))
        .collect();
    driver.front.store(PORTAL_SIZE, &all);
    driver.drain();
    assert_eq!(raised(&driver), [0, 1, 2, 3]);
}

#[test]
fn a_repeated_piece_begins_anew() {
    let driver = Driver::enabled(16);
    let bytes = driver::bytes(&numbered(7));
    driver.front.store(0, &bytes[..40]);
    driver.front.store(0, &bytes[..8]);
    driver.front.store(40, &bytes[40..]);
    driver.drain();
    assert!(raised(&driver).is_empty());
    driver.front.store(8, &bytes[8..40]);
    driver.drain();
    assert_eq!(raised(&driver), [7]);
}

#[test]
fn halves_are_forgotten_when_the_queue_is_disabled_in_whatever_way() {
    let ways: [&dyn Fn(&Driver); 5] = [
        &|driver| assert_eq!(driver.run(Command::DisableQueue, 1), Ok(0)),
        &|driver| assert_eq!(driver.run(Command::ResetQueue, 1), Ok(0)),
        &|driver| assert_eq!(driver.run(Command::DisableDevice, 0), Ok(0)),
        &|driver| assert_eq!(driver.run(Command::ResetDevice, 0), Ok(0)),
        &|driver| driver.front.reset(Hold::nobody()),
    ];
    for disable in ways {
        let driver = Driver::enabled(16);
        let bytes = driver::bytes(&numbered(7));
        driver.front.store(0, &bytes[..32]);
        disable(&driver);
        driver.configure(0, 16);
        if driver.device_state() == reg::DeviceState::Disabled {
            assert_eq!(driver.run(Command::EnableDevice, 0), Ok(0));
        }
        assert_eq!(driver.run(Command::EnableQueue, 0), Ok(0));
        driver.front.store(32, &bytes[32..]);
        driver.drain();
        assert!(raised(&driver).is_empty());
        assert_eq!(driver.r64(reg::SWERROR), 0);
    }
}

#[test]
fn a_full_queue_refuses_and_says_so() {
    let driver = Driver::new();
    driver.world.engines_run.store(false, Ordering::SeqCst);
    driver.configure(0, 2);
    driver.enable();
    for _ in 0..3 {
        driver.submit(0, &numbered(1));
    }
    assert_eq!(driver.r64(reg::SWERROR), 0b1101 | 0x53 << 8);
    let status = driver.front.status();
    assert_eq!(
        (status.queues[0].submitted, status.queues[0].refused),
        (2, 1)
    );
}

#[test]
fn nothing_is_taken_while_memory_is_not_to_be_touched() {
    let driver = Driver::enabled(16);
    let memory = driver.world.memory.lock().unwrap().take();
    driver.submit(0, &numbered(1));
    *driver.world.memory.lock().unwrap() = memory;
    driver.submit(0, &numbered(2));
    driver.drain();
    assert_eq!(raised(&driver), [2]);
    assert_eq!(driver.front.status().queues[0].refused, 1);
}

#[test]
fn the_submitter_is_the_queues_owner_or_the_machines() {
    let parameters = Parameters {
        pasids: true,
        ..Parameters::default()
    };
    let driver = Driver::with(parameters, Paged::new(16));
    driver.configure(0, 16);
    let mode = tables::QueueModeWord::new()
        .with_dedicated(true)
        .with_pasid_enable(true)
        .with_pasid(9);
    driver.configure_queue(0, 16, mode);
    driver.enable();
    let mut forged = numbered(1);
    forged.trusted = 1234.into();
    driver.submit(0, &forged);
    driver.drain();
    assert_eq!(driver.run(Command::DisableQueue, 1), Ok(0));
    driver.world.submitter.store(55, Ordering::SeqCst);
    assert_eq!(driver.run(Command::EnableQueue, 0), Ok(0));
    driver.submit(0, &forged);
    driver.drain();
    let raised = driver.world.recorder.raised.lock().unwrap();
    let who: Vec<_> = raised.iter().map(|(_, _, pasid)| *pasid).collect();
    assert_eq!(who, [Pasid::new(9), Pasid::new(55)]);
}

#[test]
fn a_shared_queue_is_submitted_to_as_whom_the_descriptor_names() {
    let parameters = Parameters {
        pasids: true,
        ..Parameters::default()
    };
    let driver = Driver::with(parameters, Paged::new(16));
    driver.configure(0, 16);
    let mode = tables::QueueModeWord::new().with_pasid_enable(true);
    driver.configure_queue(0, 16, mode);
    driver.enable();
    let mut descriptor = numbered(1);
    descriptor.trusted = 1234.into();
    driver.submit(0, &descriptor);
    assert_eq!(driver.run(Command::DrainPasid, 1234), Ok(0));
    let raised = driver.world.recorder.raised.lock().unwrap();
    assert_eq!(raised[0].2, Pasid::new(1234));
}

/// A descriptor on its way: where it goes, and the cuts of its 64 bytes.
#[derive(Debug, Clone)]
struct Stored {
    slot: u64,
    cuts: Vec<usize>,
    /// The order in which the pieces come.
    order: Vec<Index>,
    /// The last piece never comes.
    torn: bool,
}

fn stored() -> impl Strategy<Value = Stored> {
    let slot = prop::sample::select(vec![0u64, 1, 2, 63, 64, 255]);
    let cuts = prop::collection::btree_set(1usize..64, 0..9);
    let order = prop::collection::vec(any::<Index>(), 10);
    (slot, cuts, order, prop::bool::weighted(0.2)).prop_map(|(slot, cuts, order, torn)| Stored {
        slot,
        cuts: cuts.into_iter().collect(),
        order,
        torn,
    })
}

impl Stored {
    /// Offsets and bytes of its pieces, in the order in which they come.
    fn pieces(&self, descriptor: &[u8; 64]) -> Vec<(u64, Vec<u8>)> {
        let ends = self.cuts.iter().copied().chain([64]);
        let starts = [0].into_iter().chain(self.cuts.iter().copied());
        let mut all: Vec<_> = starts
            .zip(ends)
            .map(|(from, to)| (self.slot * 64 + from as u64, descriptor[from..to].to_vec()))
            .collect();
        let mut pieces: Vec<_> = self
            .order
            .iter()
            .map_while(|index| (!all.is_empty()).then(|| all.swap_remove(index.index(all.len()))))
            .collect();
        if self.torn {
            pieces.pop();
        }
        pieces
    }
}

/// All that comes to one slot, and the descriptors that are whole.
#[derive(Debug)]
struct Lane {
    slot: u64,
    pieces: VecDeque<(u64, Vec<u8>)>,
    whole: Vec<u16>,
    /// Its last descriptor is torn: nothing follows.
    torn: bool,
}

fn lanes(all: &[Stored]) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    for (number, one) in (0u16..).zip(all) {
        let known = lanes.iter().position(|lane| lane.slot == one.slot);
        let at = known.unwrap_or_else(|| {
            lanes.push(Lane {
                slot: one.slot,
                pieces: VecDeque::new(),
                whole: Vec::new(),
                torn: false,
            });
            lanes.len() - 1
        });
        let lane = &mut lanes[at];
        if lane.torn {
            continue;
        }
        lane.pieces
            .extend(one.pieces(&driver::bytes(&numbered(number))));
        lane.torn = one.torn;
        if !one.torn {
            lane.whole.push(number);
        }
    }
    lanes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Submitters of different slots store pieces in turns: the whole descriptors
    /// arrive, in order for each slot.
    #[test]
    fn exactly_whole_descriptors_arrive(
        all in prop::collection::vec(stored(), 1..24),
        turns in prop::collection::vec(any::<Index>(), 256),
    ) {
        let driver = Driver::enabled(100);
        let mut lanes = lanes(&all);
        for turn in turns.iter().cycle() {
            let mut busy: Vec<&mut Lane> =
                lanes.iter_mut().filter(|lane| !lane.pieces.is_empty()).collect();
            if busy.is_empty() {
                break;
            }
            let at = turn.index(busy.len());
            if let Some((offset, bytes)) = busy[at].pieces.pop_front() {
                driver.front.store(offset, &bytes);
            }
        }
        driver.drain();
        let raised = raised(&driver);
        prop_assert_eq!(raised.len(), lanes.iter().map(|lane| lane.whole.len()).sum::<usize>());
        for lane in &lanes {
            let mut in_order = raised.clone();
            in_order.retain(|number| lane.whole.contains(number));
            prop_assert_eq!(&in_order, &lane.whole);
        }
        prop_assert_eq!(driver.r64(reg::SWERROR), 0);
    }

    /// A slot against a model: which bytes have come since it last began.
    #[test]
    fn a_slot_is_whole_when_each_byte_came_once(
        pieces in prop::collection::vec((0usize..64, 1usize..=64, any::<u8>()), 1..200),
    ) {
        let mut slot = Slot::EMPTY;
        let mut model: [Option<u8>; 64] = [None; 64];
        for (at, length, byte) in pieces {
            let length = length.min(64 - at);
            if model[at..at + length].iter().any(Option::is_some) {
                model = [None; 64];
            }
            model[at..at + length].fill(Some(byte));
            let whole: Option<Vec<u8>> = model.iter().copied().collect();
            let got = slot.put(at, &vec![byte; length]);
            prop_assert_eq!(got.map(|bytes| bytes.to_vec()), whole.clone());
            if whole.is_some() {
                model = [None; 64];
            }
        }
    }
}
