// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where descriptors begin and end means nothing: any cut of a request is the same
//! request. Checked against a plain array of bytes.

use proptest::prelude::*;
use vm_memory::{Bytes, GuestAddress};

use super::machine::{Machine, SECTORS, bytes, put_header};
use crate::block::BlockOptions;
use crate::layout::block::{feature, request, status};
use crate::layout::features::{RING_EVENT_IDX, RING_INDIRECT_DESC};
use crate::queues::testing::Buffer;

#[derive(Debug, Clone)]
struct Asked {
    write: bool,
    sector: u64,
    sectors: u64,
    seed: u8,
    indirect: bool,
    readable: Vec<u32>,
    writable: Vec<u32>,
}

fn asked() -> impl Strategy<Value = Asked> {
    let cuts = || prop::collection::vec(0_u32..2100, 0..6);
    let place = (0..SECTORS + 2, 0_u64..5);
    (any::<(bool, u8, bool)>(), place, cuts(), cuts()).prop_map(
        |((write, seed, indirect), (sector, sectors), readable, writable)| Asked {
            write,
            sector,
            sectors,
            seed,
            indirect,
            readable,
            writable,
        },
    )
}

/// `bytes` from `at` on, cut at `cuts`.
fn cut(at: u64, bytes: u32, cuts: &[u32], write: bool) -> Vec<Buffer> {
    let mut ends: Vec<u32> = cuts.iter().map(|cut| (*cut).min(bytes)).collect();
    ends.push(bytes);
    ends.sort_unstable();
    let starts = std::iter::once(0).chain(ends.clone());
    let pieces = starts.zip(&ends);
    pieces
        .map(|(from, to)| (at + u64::from(from), to - from, write))
        .collect()
}

fn check(machine: &mut Machine, model: &mut [u8], asked: &Asked) {
    let base = machine.buffers(0);
    let (out, answer, table) = (base, base + 0x4000, base + 0x8000);
    let length = asked.sectors * 512;
    let data: Vec<u8> = (0..length).map(|n| asked.seed ^ (n % 253) as u8).collect();
    let kind = if asked.write {
        request::OUT
    } else {
        request::IN
    };
    put_header(&machine.ram, out, kind, asked.sector);
    machine
        .ram
        .write_slice(&data, GuestAddress(out + 16))
        .unwrap();
    machine
        .ram
        .write_slice(&[0xee; 0x1000], GuestAddress(answer))
        .unwrap();
    let (out_bytes, answer_bytes) = match asked.write {
        true => (16 + length, 1),
        false => (16, length + 1),
    };
    let mut buffers = cut(out, out_bytes as u32, &asked.readable, false);
    buffers.extend(cut(answer, answer_bytes as u32, &asked.writable, true));
    let head = match asked.indirect {
        true => machine.drivers[0].add_indirect(table, &buffers),
        false => machine.drivers[0].add(&buffers),
    };
    machine.notify(0);
    let (used, written) = machine.wait_used(0);
    assert_eq!(Some(used), head);
    let said = bytes(&machine.ram, answer, 0x1000);
    let end = answer_bytes as usize;
    let first = (asked.sector * 512) as usize;
    if asked.sector + asked.sectors > SECTORS {
        assert_eq!(said[end - 1], status::IOERR);
        assert_eq!(u64::from(written), u64::from(asked.write || length == 0));
        return;
    }
    assert_eq!(said[end - 1], status::OK);
    assert_eq!(u64::from(written), answer_bytes);
    assert!(said[end..].iter().all(|byte| *byte == 0xee));
    let there = &mut model[first..first + length as usize];
    if asked.write {
        there.copy_from_slice(&data);
    } else {
        assert_eq!(said[..end - 1], *there);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_cut_of_a_request_is_the_same_request(
        all in prop::collection::vec(asked(), 1..40),
        event_idx in any::<bool>(),
    ) {
        let mut features = feature::FLUSH | RING_INDIRECT_DESC;
        if event_idx {
            features |= RING_EVENT_IDX;
        }
        let mut machine = Machine::started(&BlockOptions::default(), features);
        let mut model = vec![0; (SECTORS * 512) as usize];
        for asked in &all {
            // The next used one is to be told.
            let (_, seen) = machine.drivers[0].position();
            machine.drivers[0].tell_after(seen);
            check(&mut machine, &mut model, asked);
        }
        prop_assert!(machine.file.read(0, model.len()) == model);
        prop_assert_eq!(machine.drivers[0].room(), 256);
    }
}
