// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a client and its guest may do.

use ims_dsa::front::map;
use ims_dsa::layout::{Descriptor, Flags};
use ims_vfio::layout::region;
use proptest::prelude::*;

use crate::memory::{BASE, FRAME, FRAMES};

#[derive(Debug, Clone)]
pub enum Step {
    Read(u32, u64, usize),
    Write(u32, u64, Vec<u8>),
    Command(u32),
    /// A descriptor: queue, page of its portals, where in the page.
    Submit(u64, u64, u64, Box<[u8; 64]>),
    /// A descriptor put into a frame, for batches.
    Poke(u64, u64, Box<[u8; 64]>),
    BusMaster(bool),
    FunctionReset,
    Reset,
    Detach,
    Enable,
    /// Triggers: how many vectors, and whether each has one.
    Triggers(u32, bool),
    Loopback(u32),
    DisableIrqs,
    Map(u64, bool),
    Unmap(u64),
    Revoke,
    Wait,
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => any::<u32>().prop_map(|word| word.to_le_bytes().to_vec()),
        4 => any::<u64>().prop_map(|words| words.to_le_bytes().to_vec()),
        1 => prop::sample::select(vec![1usize, 2, 4, 8, 64]).prop_map(|length| vec![0; length]),
        1 => prop::sample::select(vec![1usize, 2, 4, 8, 64]).prop_map(|length| vec![0xff; length]),
        1 => prop::collection::vec(any::<u8>(), 1..70),
    ]
}

/// A place in a region: where something is, or anywhere.
fn place() -> impl Strategy<Value = (u32, u64)> {
    let registers = prop_oneof![
        4 => 0u64..0x200,
        2 => map::GROUP_CONFIG..map::GROUP_CONFIG + 0x100,
        3 => map::QUEUE_CONFIG..map::QUEUE_CONFIG + 0x100,
        2 => map::MSIX_PERMISSIONS..map::MSIX_PERMISSIONS + 0x50,
        3 => map::MSIX_TABLE..map::MSIX_TABLE + 0xa0,
        1 => map::MSIX_PENDING..map::MSIX_PENDING + 0x10,
        3 => map::IMS..map::IMS + 0x80,
        1 => any::<u64>(),
    ];
    prop_oneof![
        6 => registers.prop_map(|at| (0, at)),
        2 => (0u64..0x9000).prop_map(|at| (2, at)),
        1 => (0u64..0x200).prop_map(|at| (region::CONFIG, at)),
        1 => (any::<u32>(), any::<u64>()),
    ]
}

/// Mostly in, or across the end of, a frame, and often aligned.
fn address() -> impl Strategy<Value = u64> {
    let at =
        prop_oneof![3 => Just(0u64), 3 => (0..FRAME / 64).prop_map(|at| at * 64), 2 => 0..FRAME];
    prop_oneof![
        12 => (0..=FRAMES, at).prop_map(|(frame, at)| BASE + frame * FRAME + at),
        1 => any::<u64>(),
    ]
}

fn descriptor() -> impl Strategy<Value = Box<[u8; 64]>> {
    let sane = Flags::RECORD_VALID | Flags::REQUEST_RECORD;
    let flags = prop_oneof![
        2 => Just(sane.bits()),
        2 => Just((sane | Flags::REQUEST_INTERRUPT).bits()),
        1 => Just((sane | Flags::BLOCK_ON_FAULT).bits()),
        1 => Just(0),
        2 => 0u32..1 << 24,
    ];
    let opcode = prop_oneof![12 => 0u32..0x21, 1 => 0u32..256];
    let size = prop_oneof![4 => 0u32..16, 3 => 0u32..0x2000, 1 => any::<u32>()];
    let tail = prop_oneof![Just([0; 24]), any::<[u8; 24]>()];
    let trusted = prop_oneof![Just(0u32), 0u32..4];
    let head = (trusted, opcode, flags, address(), address(), address());
    (head, size, 0u16..8, tail).prop_map(|(head, size, handle, tail)| {
        let (trusted, opcode, flags, completion, source, destination) = head;
        let mut bytes = [0; 64];
        bytes[40..].copy_from_slice(&tail);
        let mut descriptor = Descriptor::from_bytes(&bytes);
        descriptor.trusted = trusted.into();
        descriptor.command = (opcode << 24 | flags).into();
        descriptor.completion = (completion & !31).into();
        descriptor.source = source.into();
        descriptor.destination = destination.into();
        descriptor.size = size.into();
        descriptor.handle = handle.into();
        let bytes: &[u8] = zerocopy::IntoBytes::as_bytes(&descriptor);
        Box::new(bytes.try_into().unwrap())
    })
}

fn command() -> impl Strategy<Value = u32> {
    let operand =
        prop_oneof![3 => 0u32..4, 1 => (0u32..8).prop_map(|at| 1 << 16 | at), 1 => 0u32..1 << 20];
    (0u32..18, operand, any::<bool>())
        .prop_map(|(code, operand, interrupt)| code << 20 | operand | u32::from(interrupt) << 31)
}

pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (place(), 1usize..70).prop_map(|((at, offset), length)| Step::Read(at, offset, length)),
        6 => (place(), bytes()).prop_map(|((at, offset), bytes)| Step::Write(at, offset, bytes)),
        6 => command().prop_map(Step::Command),
        24 => (prop_oneof![6 => Just(0u64), 2 => 1u64..3], 0u64..4, 0u64..64, descriptor())
            .prop_map(|(queue, page, slot, bytes)| Step::Submit(queue, page, slot, bytes)),
        4 => (0..FRAMES, 0..FRAME / 64, descriptor())
            .prop_map(|(frame, at, bytes)| Step::Poke(frame, at * 64, bytes)),
        1 => any::<bool>().prop_map(Step::BusMaster),
        1 => Just(Step::FunctionReset),
        1 => Just(Step::Reset),
        1 => Just(Step::Detach),
        5 => Just(Step::Enable),
        2 => (0u32..6, any::<bool>()).prop_map(|(count, some)| Step::Triggers(count, some)),
        1 => (0u32..6).prop_map(Step::Loopback),
        1 => Just(Step::DisableIrqs),
        4 => (0..FRAMES, prop::bool::weighted(0.8)).prop_map(|(at, write)| Step::Map(at, write)),
        3 => (0..FRAMES).prop_map(Step::Unmap),
        1 => Just(Step::Revoke),
        1 => Just(Step::Wait),
    ]
}
