// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Each operation against a plain byte vector, with holes in the memory.
#![allow(
    clippy::cast_possible_truncation,
    reason = "sizes here are a few pages"
)]

use proptest::prelude::*;
use zerocopy::little_endian::U64;

use super::*;
use crate::memory::Access;
use crate::testing::{PAGE, Paged, transfer, with_flags};
use crate::transfer::window;

mod bounds;
mod cache_flush;
mod delta;
mod dif;

const PAGES: u64 = 16;
const SIZE: usize = (PAGES * PAGE) as usize;

/// Memory full of different bytes, some pages missing or read-only, in windows
/// of a granule.
fn space() -> impl Strategy<Value = (Paged, Vec<u8>)> {
    let pages = || prop::collection::hash_set(0..PAGES, 0..3);
    let granule = prop::sample::select(vec![64, 512, PAGE, PAGES * PAGE]);
    (pages(), pages(), granule, any::<u64>()).prop_map(|(missing, read_only, granule, seed)| {
        // A window as long as the memory would step over the holes.
        let (missing, read_only) = if granule > PAGE {
            Default::default()
        } else {
            (missing, read_only)
        };
        let mut state = seed | 1;
        let bytes: Vec<u8> = (0..SIZE)
            .map(|_| {
                state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                state.to_le_bytes()[7]
            })
            .collect();
        let space = Paged {
            missing,
            read_only,
            granule,
            ..Paged::new(PAGES)
        };
        space.put(0, &bytes);
        (space, bytes)
    })
}

fn place() -> impl Strategy<Value = (u64, u32)> {
    (0..(PAGES - 4) * PAGE, 1..4 * PAGE).prop_map(|(at, size)| (at, u32::try_from(size).unwrap()))
}

/// Whether the page of `address` allows the access.
fn allowed(space: &Paged, address: u64, access: Access) -> bool {
    let page = address / PAGE;
    let writable = access == Access::Read || !space.read_only.contains(&page);
    writable && !space.missing.contains(&page)
}

/// The first byte of a transfer at which one of its buffers faults.
fn first_fault(space: &Paged, size: u32, buffers: &[(u64, Access)]) -> Option<(u32, u64, Access)> {
    (0..size).find_map(|at| {
        let faulting =
            |(base, access): &&(u64, Access)| !allowed(space, base + u64::from(at), *access);
        buffers
            .iter()
            .find(faulting)
            .map(|(base, access)| (at, base + u64::from(at), *access))
    })
}

fn assert_faulted(outcome: &Outcome, expected: (u32, u64, Access)) {
    let fault = outcome.fault.unwrap();
    assert_eq!(outcome.status, Status::PageFault);
    assert_eq!((outcome.completed, fault.address, fault.access), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_move_is_a_copy_through_a_buffer_up_to_the_fault(
        (space, mut model) in space(), (source, size) in place(), (to, _) in place(),
        near in prop::option::of(-9000i64..9000),
    ) {
        let to = near.map_or(to, |by| source.saturating_add_signed(by)).min((PAGES - 4) * PAGE);
        let outcome = execute(
            Opcode::MemoryMove, &transfer(Opcode::MemoryMove, 0, source, to, size), &space,
        );
        let (source, to, length) = (source as usize, to as usize, size as usize);
        let original = model[source..source + length].to_vec();
        let buffers = [(source as u64, Access::Read), (to as u64, Access::Write)];
        if outcome.result == 1 {
            // Backwards: what is done is the end, and the rest can be redone.
            let fault = outcome.fault.unwrap();
            prop_assert!(first_fault(&space, size, &buffers).is_some());
            prop_assert!(!allowed(&space, fault.address, fault.access));
            let rest = length - outcome.completed as usize;
            model[to + rest..to + length].copy_from_slice(&original[rest..]);
            prop_assert_eq!(space.get(0, SIZE), model);
        } else if let Some(fault) = first_fault(&space, size, &buffers) {
            assert_faulted(&outcome, fault);
            let done = fault.0 as usize;
            model[to..to + done].copy_from_slice(&original[..done]);
            prop_assert_eq!(space.get(0, SIZE), model);
        } else {
            prop_assert_eq!(outcome, Outcome::done(size));
            model[to..to + length].copy_from_slice(&original);
            prop_assert_eq!(space.get(0, SIZE), model);
        }
    }

    #[test]
    fn a_fill_repeats_its_pattern_up_to_the_fault(
        (space, mut model) in space(), (to, size) in place(), pattern: u64,
    ) {
        let outcome =
            execute(Opcode::Fill, &transfer(Opcode::Fill, 0, pattern, to, size), &space);
        let fault = first_fault(&space, size, &[(to, Access::Write)]);
        let done = fault.map_or(size, |(done, ..)| done) as usize;
        match fault {
            Some(fault) => assert_faulted(&outcome, fault),
            None => prop_assert_eq!(outcome, Outcome::done(size)),
        }
        for at in 0..done {
            model[to as usize + at] = pattern.to_le_bytes()[at % 8];
        }
        prop_assert_eq!(space.get(0, SIZE), model);
    }

    #[test]
    fn a_comparison_finds_the_first_difference_or_the_fault_before_it(
        (space, mut model) in space(), (a, size) in place(), (b, _) in place(),
        difference in prop::option::of(any::<prop::sample::Index>()),
        with_pattern: bool, pattern: u64,
    ) {
        let length = size as usize;
        let opcode = if with_pattern { Opcode::ComparePattern } else { Opcode::Compare };
        let expected: Vec<u8> = if with_pattern {
            pattern.to_le_bytes().into_iter().cycle().take(length).collect()
        } else {
            model[b as usize..b as usize + length].to_vec()
        };
        if with_pattern || a.abs_diff(b) >= u64::from(size) {
            model[a as usize..a as usize + length].copy_from_slice(&expected);
        }
        if let Some(at) = difference {
            model[a as usize + at.index(length)] ^= 0x40;
        }
        space.put(0, &model);
        let left = &model[a as usize..a as usize + length];
        let right = if with_pattern {
            &expected[..]
        } else {
            &model[b as usize..b as usize + length]
        };
        let differs = left.iter().zip(right).position(|(l, r)| l != r);
        let second = if with_pattern { pattern } else { b };
        let outcome = execute(opcode, &transfer(opcode, 0, a, second, size), &space);
        let mut buffers = vec![(a, Access::Read)];
        buffers.extend((!with_pattern).then_some((b, Access::Read)));
        let fault = first_fault(&space, size, &buffers);
        match (fault, differs) {
            (Some(fault), None) => assert_faulted(&outcome, fault),
            (Some(fault), Some(at)) if fault.0 as usize <= at => assert_faulted(&outcome, fault),
            (_, Some(at)) => {
                prop_assert_eq!((outcome.status, outcome.result), (Status::Success, 1));
                prop_assert_eq!(outcome.completed as usize, at);
            }
            (None, None) => prop_assert_eq!(outcome, Outcome::done(size)),
        }
        prop_assert_eq!(space.get(0, SIZE), model);
    }

    #[test]
    fn a_dualcast_writes_as_much_to_both_destinations(
        (space, mut model) in space(), source in 0..PAGE, size in 1..3 * PAGE, within in 0..PAGE,
    ) {
        let size = u32::try_from(size).unwrap();
        let (first, second) = (5 * PAGE + within, 10 * PAGE + within);
        let descriptor = Descriptor {
            extra: U64::new(second),
            ..transfer(Opcode::Dualcast, 0, source, first, size)
        };
        let outcome = execute(Opcode::Dualcast, &descriptor, &space);
        let buffers = [(source, Access::Read), (first, Access::Write), (second, Access::Write)];
        let fault = first_fault(&space, size, &buffers);
        let done = fault.map_or(size, |(done, ..)| done) as usize;
        match fault {
            Some(fault) => assert_faulted(&outcome, fault),
            None => prop_assert_eq!(outcome, Outcome::done(size)),
        }
        let copied = model[source as usize..source as usize + done].to_vec();
        model[first as usize..first as usize + done].copy_from_slice(&copied);
        model[second as usize..second as usize + done].copy_from_slice(&copied);
        prop_assert_eq!(space.get(0, SIZE), model);
    }

    #[test]
    fn a_crc_is_that_of_the_specification_and_of_what_was_copied(
        (space, mut model) in space(), source in 0..4 * PAGE, size in 1..3 * PAGE,
        to in 8 * PAGE..12 * PAGE, seed: u32, flags in 0u32..4, copies: bool,
    ) {
        let size = u32::try_from(size).unwrap();
        let opcode = if copies { Opcode::CopyCrc } else { Opcode::Crc };
        let flags = Flags::from_bits(flags << 17);
        let descriptor = with_flags(
            Descriptor {
                extra: U64::new(seed.into()),
                ..transfer(opcode, 0, source, if copies { to } else { 0 }, size)
            },
            flags,
        );
        let outcome = execute(opcode, &descriptor, &space);
        let mut buffers = vec![(source, Access::Read)];
        buffers.extend(copies.then_some((to, Access::Write)));
        let fault = first_fault(&space, size, &buffers);
        let done = fault.map_or(size, |(done, ..)| done) as usize;
        if let Some(fault) = fault {
            assert_faulted(&outcome, fault);
        }
        let bytes = model[source as usize..source as usize + done].to_vec();
        prop_assert_eq!(outcome.value, u64::from(reference_crc(seed, &bytes, flags)));
        if copies {
            model[to as usize..to as usize + done].copy_from_slice(&bytes);
        }
        prop_assert_eq!(space.get(0, SIZE), model);
    }
}

/// Bit by bit, highest bit first, polynomial 0x1edc6f41 (appendix A).
fn reference_crc(seed: u32, bytes: &[u8], flags: Flags) -> u32 {
    let bypass = flags.contains(Flags::BYPASS_CRC_REFLECTION);
    let turn = |value: u32| {
        if bypass {
            value
        } else {
            (!value).reverse_bits()
        }
    };
    let plain = flags.contains(Flags::BYPASS_DATA_REFLECTION);
    let crc = bytes.iter().fold(turn(seed), |crc, byte| {
        let byte = if plain { *byte } else { byte.reverse_bits() };
        (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| {
            if crc >> 31 == 1 {
                crc << 1 ^ 0x1edc_6f41
            } else {
                crc << 1
            }
        })
    });
    turn(crc)
}

#[test]
fn crc_of_the_usual_vectors() {
    // RFC 3720 B.4, and the check value of CRC-32C.
    let ascending: Vec<u8> = (0..32).collect();
    let vectors: [(&[u8], u32); 4] = [
        (b"123456789", 0xe306_9283),
        (&[0; 32], 0x8a91_36aa),
        (&[0xff; 32], 0x62a8_ab43),
        (&ascending, 0x46dd_794e),
    ];
    let space = Paged::new(1);
    for (bytes, crc) in vectors {
        space.put(16, bytes);
        let size = u32::try_from(bytes.len()).unwrap();
        let outcome = execute(Opcode::Crc, &transfer(Opcode::Crc, 0, 16, 0, size), &space);
        assert_eq!(outcome.value, u64::from(crc));
    }
}

#[test]
fn a_crc_continues_from_a_seed_in_memory() {
    let space = Paged::new(2);
    space.put(0, b"123456789");
    let first = execute(Opcode::Crc, &transfer(Opcode::Crc, 0, 0, 0, 4), &space);
    space.put(256, &u32::try_from(first.value).unwrap().to_le_bytes());
    let rest = with_flags(transfer(Opcode::Crc, 0, 4, 0, 5), Flags::READ_SEED);
    let rest = Descriptor {
        seed_address: U64::new(256),
        ..rest
    };
    assert_eq!(execute(Opcode::Crc, &rest, &space).value, 0xe306_9283);
    let beyond = Descriptor {
        seed_address: U64::new(2 * PAGE),
        ..rest
    };
    assert_faulted(
        &execute(Opcode::Crc, &beyond, &space),
        (0, 2 * PAGE, Access::Read),
    );
}

#[test]
fn a_transfer_does_not_wrap_round_the_end_of_the_address_space() {
    let space = Paged::new(1);
    let descriptor = transfer(Opcode::Compare, 0, u64::MAX - 10, 0, 64);
    let outcome = execute(Opcode::Compare, &descriptor, &space);
    assert_eq!(outcome.status, Status::PageFault);
    assert!(window(&space, u64::MAX - 1, 2, 1, Access::Read).is_err());
}
