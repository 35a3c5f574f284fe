// SPDX-License-Identifier: Apache-2.0 OR MIT
//! DIF operations against a model, and against each other.
use zerocopy::{FromBytes, IntoBytes};

use super::*;
use crate::layout::{DestinationDif, DifMismatch, GeneralDif, SourceDif, TUPLE_SIZE, Tags, Tuple};

mod tuples;

const FROM: u64 = 0;
const TO: u64 = 5 * PAGE + 16;
const BACK: u64 = 10 * PAGE + 32;

/// How a test's blocks are formed.
#[derive(Debug, Clone, Copy)]
struct Form {
    general: GeneralDif,
    source: SourceDif,
    destination: DestinationDif,
    source_tags: Tags,
    destination_tags: Tags,
}

impl Form {
    fn new(block: u8) -> Self {
        Self {
            general: GeneralDif::new().with_block(block),
            source: SourceDif::new(),
            destination: DestinationDif::new(),
            source_tags: Tags::new(),
            destination_tags: Tags::new(),
        }
    }

    fn block(&self) -> usize {
        self.general.block_size()
    }

    fn descriptor(&self, opcode: Opcode, from: u64, to: u64, size: usize) -> Descriptor {
        let flags = [
            self.source.into(),
            self.destination.into(),
            self.general.into(),
        ];
        let [source, destination, general]: [u8; 3] = flags;
        Descriptor {
            extra: U64::from_bytes([source, destination, general, 0, 0, 0, 0, 0]),
            seed_address: U64::new(self.source_tags.into()),
            tail: U64::new(self.destination_tags.into()),
            ..transfer(opcode, 0, from, to, size as u32)
        }
    }

    fn run(&self, space: &Paged, opcode: Opcode, from: u64, to: u64, size: usize) -> Outcome {
        execute(opcode, &self.descriptor(opcode, from, to, size), space)
    }

    /// The same with source and destination exchanged: what was inserted by
    /// one is what is expected by the other.
    fn turned(&self) -> Self {
        Self {
            source: SourceDif::new()
                .with_application_increments(self.destination.application_increments())
                .with_reference_fixed(self.destination.reference_fixed()),
            // A masked bit is written as 0.
            source_tags: self.destination_tags,
            ..*self
        }
    }
}

/// A form that inserts, block by block, and how many blocks.
fn inserting() -> impl Strategy<Value = (Form, usize)> {
    (0..4u8, 0..4u8, any::<[bool; 2]>(), any::<u64>()).prop_flat_map(
        |(block, invert, [application, reference], tags)| {
            let mut form = Form::new(block);
            form.general = GeneralDif::from(block | invert << 2);
            form.destination = DestinationDif::new()
                .with_application_increments(application)
                .with_reference_fixed(reference);
            form.destination_tags = Tags::from(tags);
            (Just(form), 1..=(3 * PAGE as usize / form.block()))
        },
    )
}

/// The CRC as T10 has it, bit by bit.
fn crc(seed: u16, block: &[u8]) -> u16 {
    block.iter().fold(seed, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            if crc >> 15 == 1 {
                crc << 1 ^ 0x8bb7
            } else {
                crc << 1
            }
        })
    })
}

/// What inserting makes of `data`.
fn inserted(form: &Form, data: &[u8]) -> Vec<u8> {
    let ones = |set| if set { 0xffff } else { 0u16 };
    let tags = form.destination_tags;
    let (mut application, mut reference) = (tags.application(), tags.reference());
    let mut made = Vec::new();
    for block in data.chunks(form.block()) {
        let guard =
            crc(ones(form.general.invert_seed()), block) ^ ones(form.general.invert_result());
        made.extend_from_slice(block);
        made.extend_from_slice(&guard.to_be_bytes());
        made.extend_from_slice(&(application & !tags.mask()).to_be_bytes());
        made.extend_from_slice(&reference.to_be_bytes());
        if form.destination.application_increments() {
            application = application.wrapping_add(1);
        }
        if !form.destination.reference_fixed() {
            reference = reference.wrapping_add(1);
        }
    }
    made
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn what_is_inserted_is_as_specified_checks_and_strips_to_the_same(
        (space, model) in space(), (form, blocks) in inserting(),
    ) {
        let space = Paged { missing: Default::default(), read_only: Default::default(), ..space };
        let (bare, full) = (blocks * form.block(), blocks * (form.block() + TUPLE_SIZE));
        let outcome = form.run(&space, Opcode::DifInsert, FROM, TO, bare);
        prop_assert_eq!((outcome.status, outcome.completed), (Status::Success, 0));
        let data = &model[FROM as usize..FROM as usize + bare];
        prop_assert_eq!(space.get(TO, full), inserted(&form, data));
        // Nothing around it.
        prop_assert_eq!(&space.get(TO - 16, 16)[..], &model[TO as usize - 16..TO as usize]);
        let end = TO as usize + full;
        prop_assert_eq!(&space.get(end as u64, 64)[..], &model[end..end + 64]);

        let turned = form.turned();
        let checked = turned.run(&space, Opcode::DifCheck, TO, 0, full);
        prop_assert_eq!((checked.status, checked.result), (Status::Success, 0));
        prop_assert_eq!(checked.value, outcome.tail);
        let stripped = turned.run(&space, Opcode::DifStrip, TO, BACK, full);
        prop_assert_eq!((stripped.status, stripped.bytes), (Status::Success, full as u64));
        prop_assert_eq!(&space.get(BACK, bare)[..], data);
        let end = BACK as usize + bare;
        prop_assert_eq!(&space.get(end as u64, 64)[..], &model[end..end + 64]);
    }

    #[test]
    fn an_update_is_a_strip_and_an_insert(
        (space, _) in space(), (old, blocks) in inserting(), (new, _) in inserting(),
    ) {
        let space = Paged { missing: Default::default(), read_only: Default::default(), ..space };
        let both = Form {
            destination: new.destination,
            destination_tags: new.destination_tags,
            ..old.turned()
        };
        let (bare, full) = (blocks * old.block(), blocks * (old.block() + TUPLE_SIZE));
        let data = space.get(FROM, bare);
        old.run(&space, Opcode::DifInsert, FROM, TO, bare);
        let outcome = both.run(&space, Opcode::DifUpdate, TO, BACK, full);
        prop_assert_eq!((outcome.status, outcome.bytes), (Status::Success, full as u64));
        prop_assert_eq!(space.get(BACK, full), inserted(&both, &data));
    }

    #[test]
    fn a_mismatch_is_found_in_its_block_and_named(
        (form, blocks) in inserting(), at in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(), bit in 0..8u8, strips: bool,
        unchecked in (any::<bool>(), any::<bool>()), mask: u16,
    ) {
        let space = Paged::new(PAGES);
        let step = form.block() + TUPLE_SIZE;
        form.run(&space, Opcode::DifInsert, FROM, TO, blocks * form.block());
        let (at, byte) = (at.index(blocks), byte.index(step));
        let place = TO + (at * step + byte) as u64;
        let wrong = space.get(place, 1)[0] ^ 1 << bit;
        space.put(place, &[wrong]);
        let mut turned = form.turned();
        turned.source.set_guard_unchecked(unchecked.0);
        turned.source.set_reference_unchecked(unchecked.1);
        turned.source_tags.set_mask(mask | form.destination_tags.mask());
        let masked = turned.source_tags.mask();
        let position = byte.wrapping_sub(form.block());
        let expected = match position {
            0 | 1 => DifMismatch::new().with_guard(!unchecked.0),
            2 => DifMismatch::new().with_application(masked >> (8 + bit) & 1 == 0),
            3 => DifMismatch::new().with_application(masked >> bit & 1 == 0),
            4..8 => DifMismatch::new().with_reference(!unchecked.1),
            _ => DifMismatch::new().with_guard(!unchecked.0),
        };
        let opcode = if strips { Opcode::DifStrip } else { Opcode::DifCheck };
        let to = if strips { BACK } else { 0 };
        let outcome = turned.run(&space, opcode, TO, to, blocks * step);
        prop_assert_eq!(outcome.result, u8::from(expected));
        if outcome.result == 0 {
            prop_assert_eq!(outcome.status, Status::Success);
        } else {
            prop_assert_eq!(outcome.status, Status::DifError);
            prop_assert_eq!(outcome.completed as usize, at * step);
            // Of the blocks from the wrong one on nothing is written.
            let before = at * form.block();
            let written = if strips { space.get(BACK, before) } else { Vec::new() };
            let good = if strips { space.get(FROM, before) } else { Vec::new() };
            prop_assert_eq!(written, good);
            prop_assert_eq!(space.get(BACK + (if strips { before } else { 0 }) as u64, 600), [0; 600]);
        }
    }

    #[test]
    fn a_fault_tells_the_block_and_the_tags_the_rest_is_done_with(
        (space, model) in space(), (form, blocks) in inserting(),
    ) {
        let size = blocks * form.block();
        let whole = inserted(&form, &model[..size]);
        let outcome = form.run(&space, Opcode::DifInsert, FROM, TO, size);
        let step = form.block() + TUPLE_SIZE;
        let reaches = |index: &usize| {
            let reads = (0..form.block()).all(|b| allowed(&space, FROM + (index * form.block() + b) as u64, Access::Read));
            reads && (0..step).all(|b| allowed(&space, TO + (index * step + b) as u64, Access::Write))
        };
        let done = (0..blocks).take_while(reaches).count();
        prop_assert_eq!(&space.get(TO, done * step)[..], &whole[..done * step]);
        let end = TO as usize + done * step;
        prop_assert_eq!(&space.get(end as u64, 600)[..], &model[end..end + 600]);
        if done == blocks {
            prop_assert_eq!(outcome.status, Status::Success);
            return Ok(());
        }
        let fault = outcome.fault.unwrap();
        prop_assert_eq!(outcome.status, Status::PageFault);
        prop_assert!(!allowed(&space, fault.address, fault.access));
        prop_assert_eq!(outcome.completed as usize, done * form.block());
        // With the pages there the rest continues as if it had not stopped.
        let space = Paged { missing: Default::default(), read_only: Default::default(), ..space };
        let rest = Form { destination_tags: Tags::from(outcome.tail), ..form };
        let completed = outcome.completed as usize;
        let from = FROM + completed as u64;
        rest.run(&space, Opcode::DifInsert, from, TO + (done * step) as u64, size - completed);
        prop_assert_eq!(space.get(TO, whole.len()), whole);
    }

    #[test]
    fn an_update_that_stopped_goes_on_with_the_tags_of_both_sides(
        (space, _) in space(), (old, blocks) in inserting(), (new, _) in inserting(),
    ) {
        let both = Form {
            destination: new.destination,
            destination_tags: new.destination_tags,
            ..old.turned()
        };
        let step = old.block() + TUPLE_SIZE;
        let data = space.get(FROM, blocks * old.block());
        space.put(TO, &inserted(&old, &data));
        let outcome = both.run(&space, Opcode::DifUpdate, TO, BACK, blocks * step);
        let rest = Form {
            source_tags: Tags::from(outcome.value),
            destination_tags: Tags::from(outcome.tail),
            ..both
        };
        let space = Paged { missing: Default::default(), read_only: Default::default(), ..space };
        if outcome.status != Status::Success {
            prop_assert_eq!(outcome.status, Status::PageFault);
            let done = u64::from(outcome.completed);
            prop_assert_eq!(done as usize % step, 0);
            let size = blocks * step - done as usize;
            let outcome = rest.run(&space, Opcode::DifUpdate, TO + done, BACK + done, size);
            prop_assert_eq!(outcome.status, Status::Success);
        }
        prop_assert_eq!(space.get(BACK, blocks * step), inserted(&both, &data));
    }
}
