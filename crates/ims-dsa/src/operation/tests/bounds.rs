// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whatever a descriptor says, an operation stays within what the submitter
//! mapped, and writes only where its operands say.
use std::sync::Mutex;

use vm_memory::VolatileSlice;
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32};

use super::*;
use crate::check::{Rules, check};
use crate::layout::{DESCRIPTOR_SIZE, DeltaEntry};
use crate::limits::{Capabilities, Limits};
use crate::memory::Unmapped;

/// Memory between guard pages, which are there but not the submitter's, that
/// writes down what it lends.
struct Guarded {
    inner: Paged,
    lent: Mutex<Vec<(u64, u64, Access)>>,
}

const MAPPED: std::ops::Range<u64> = PAGE..(PAGES - 1) * PAGE;

impl Guarded {
    fn new() -> Self {
        let inner = Paged {
            missing: [0, PAGES - 1].into(),
            ..Paged::new(PAGES)
        };
        inner.put(0, &[0xa5; PAGE as usize]);
        inner.put(MAPPED.end, &[0xa5; PAGE as usize]);
        Self {
            inner,
            lent: Mutex::default(),
        }
    }
}

impl AddressSpace for Guarded {
    fn window(
        &self,
        address: u64,
        length: usize,
        access: Access,
    ) -> Result<VolatileSlice<'_>, Unmapped> {
        let piece = self.inner.window(address, length, access)?;
        let lent = (address, piece.len() as u64, access);
        self.lent.lock().unwrap().push(lent);
        Ok(piece)
    }
}

/// Where a checked descriptor may write: address and length.
fn writable(opcode: Opcode, descriptor: &Descriptor) -> Vec<(u64, u64)> {
    let size = u64::from(descriptor.size.get());
    let to = descriptor.destination.get();
    let block = descriptor.dif().general.block_size() as u64;
    match opcode {
        Opcode::MemoryMove | Opcode::Fill | Opcode::CopyCrc | Opcode::ApplyDelta => {
            vec![(to, size)]
        }
        Opcode::Dualcast => vec![(to, size), (descriptor.extra.get(), size)],
        Opcode::CreateDelta => vec![(descriptor.delta_address(), descriptor.delta_room().into())],
        Opcode::DifInsert => vec![(to, size / block * (block + 8))],
        Opcode::DifStrip => vec![(to, size / (block + 8) * block)],
        Opcode::DifUpdate => vec![(to, size)],
        _ => vec![],
    }
}

fn address() -> impl Strategy<Value = u64> {
    prop_oneof![
        16 => (0..PAGES * PAGE).prop_map(|at| at & !7),
        1 => 0..PAGES * PAGE,
        2 => (MAPPED.end - 600..MAPPED.end + 8).prop_map(|at| at & !7),
        1 => any::<u64>(),
    ]
}

/// A descriptor of what an operation wants: addresses anywhere, fields it has a
/// use for filled.
fn formed(opcode: Opcode) -> impl Strategy<Value = Descriptor> {
    let addresses = [address(), address(), address()];
    let blocks = prop_oneof![8 => 1..12u32, 1 => 0..0x4000u32];
    (addresses, blocks, any::<[u64; 3]>()).prop_map(move |(addresses, blocks, words)| {
        let [source, destination, extra] = addresses;
        // Any DIF flags that are not reserved, but the guard and the reference
        // tag are rarely checked.
        let rarely = if words[0] >> 62 == 0 { 0 } else { 0x60 };
        let flags = match opcode {
            Opcode::DifCheck | Opcode::DifStrip => words[0] & 0x0f_00ff | rarely,
            Opcode::DifInsert => words[0] & 0x0f_9000,
            Opcode::DifUpdate => words[0] & 0x0f_f8ff | rarely,
            _ => 0,
        };
        let extra = match opcode {
            Opcode::CreateDelta | Opcode::Dualcast => extra,
            Opcode::ApplyDelta => words[0] % 600 * 10,
            _ => flags,
        };
        let extra = match opcode {
            Opcode::Dualcast => destination & 0xfff | extra & !0xfff,
            _ => extra,
        };
        let descriptor = Descriptor {
            source: U64::new(if opcode == Opcode::CacheFlush {
                0
            } else {
                source
            }),
            destination: U64::new(if opcode == Opcode::DifCheck {
                0
            } else {
                destination
            }),
            extra: U64::new(extra),
            seed_address: U64::new(match opcode {
                Opcode::CreateDelta => 80 + words[1] % 4000,
                // Every bit of the application tag masked.
                Opcode::DifCheck | Opcode::DifStrip | Opcode::DifUpdate => words[1] | 0xffff << 32,
                _ => 0,
            }),
            tail: U64::new(match opcode {
                Opcode::DifInsert | Opcode::DifUpdate => words[2],
                _ => 0,
            }),
            ..transfer(opcode, 0, source, destination, 0)
        };
        let block = descriptor.dif().general.block_size() as u32;
        let unit = match opcode {
            Opcode::DifCheck | Opcode::DifStrip | Opcode::DifUpdate => block + 8,
            Opcode::DifInsert => block,
            Opcode::CreateDelta | Opcode::ApplyDelta => 1000,
            _ => 777,
        };
        Descriptor {
            size: U32::new(blocks * unit),
            ..descriptor
        }
    })
}

/// One byte of it changed at times.
fn spoilt() -> impl Strategy<Value = Descriptor> {
    let working: Vec<Opcode> = Opcode::ALL
        .into_iter()
        .filter(|opcode| !matches!(opcode, Opcode::NoOp | Opcode::Batch | Opcode::Drain))
        .collect();
    let formed = prop::sample::select(working).prop_flat_map(formed);
    let change = prop::option::weighted(0.2, (16..64usize, any::<u8>()));
    (formed, change).prop_map(|(descriptor, change)| {
        let mut bytes: [u8; DESCRIPTOR_SIZE] = zerocopy::transmute!(descriptor);
        if let Some((at, byte)) = change {
            bytes[at] = byte;
        }
        Descriptor::from_bytes(&bytes)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn no_operation_leaves_its_operands_or_what_is_mapped(
        descriptor in spoilt(), steps in prop::collection::vec((prop_oneof![50 => 1..20u16, 1 => any::<u16>()], any::<u64>()), 64),
    ) {
        let rules = Rules {
            capabilities: Capabilities::default(),
            limits: Limits { max_transfer_shift: 22, ..Limits::default() },
            in_batch: false,
        };
        let Ok(opcode) = check(&descriptor, &rules) else {
            return Ok(());
        };
        // At the source, a delta record with offsets mostly in order.
        let mut offset = 0u16;
        let entries = steps.iter().cycle().take(600).map(|(step, data)| {
            offset = offset.wrapping_add(*step);
            DeltaEntry { offset: U16::new(offset), data: data.to_le_bytes() }
        });
        let entries: Vec<DeltaEntry> = entries.collect();
        let space = Guarded::new();
        let start = descriptor.source.get().clamp(MAPPED.start, MAPPED.end);
        let fits = entries.as_bytes().len().min((MAPPED.end - start) as usize);
        space.inner.put(start, &entries.as_bytes()[..fits]);
        let outcome = execute(opcode, &descriptor, &space);
        let length = u64::from(descriptor.size.get()).max(descriptor.delta_size().into());
        prop_assert!(u64::from(outcome.completed) <= length);
        let places = writable(opcode, &descriptor);
        for &(at, bytes, access) in &*space.lent.lock().unwrap() {
            prop_assert!(MAPPED.start <= at && at + bytes <= MAPPED.end);
            let within = |&(to, room): &(u64, u64)| to <= at && at + bytes <= to.saturating_add(room);
            prop_assert!(access == Access::Read || places.iter().any(within), "{:x} {:x}", at, bytes);
        }
        prop_assert_eq!(space.inner.get(0, PAGE as usize), [0xa5; PAGE as usize]);
        prop_assert_eq!(space.inner.get(MAPPED.end, PAGE as usize), [0xa5; PAGE as usize]);
    }
}
