// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The register map, and accesses of odd sizes and places.

use super::bench::{ALICE, Bench, SIZE, TABLE, program, read32};
use crate::guest_ims::RemapOptions;
use crate::guest_ims::layout::remap::{CONTROL, TABLE as TABLE_REGISTER};
use crate::guest_ims::layout::{REMAP, SLOTS};

#[test]
fn a_guest_finds_out_what_it_has() {
    let bench = Bench::new(RemapOptions::default());
    let ims = bench.remap.store(ALICE, 5000).unwrap();
    let words = |from: u64, count: u64| -> Vec<u32> {
        (0..count).map(|n| read32(&ims, from + n * 4)).collect()
    };
    assert_eq!(
        words(0, 10),
        [0x5353_4d49, 1, 5000, 0x2000, 0x100, 0x1000, 0, 0, 0, 0]
    );
    let unit = [
        0x5253_4d49,
        1,
        65_536,
        16,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ];
    assert_eq!(words(REMAP, 18), unit);
    assert_eq!(words(SLOTS, 4), [0, 0, 0, 1]);
    assert_eq!(ims.bar_bytes(), 0x2_0000);
}

#[test]
fn registers_that_cannot_be_written_stay_and_what_is_nowhere_reads_as_zero() {
    let bench = Bench::new(RemapOptions::default());
    let ims = bench.remap.store(ALICE, 4).unwrap();
    let all = |ims: &super::bench::Ims| {
        let mut bytes = vec![0xaa; 0x2100];
        ims.read(0, &mut bytes);
        bytes
    };
    let before = all(&ims);
    for offset in [
        0,
        8,
        0x10,
        0x28,
        0x800,
        REMAP,
        REMAP + 8,
        REMAP + 0x40,
        REMAP + 0x48,
        0x2040,
    ] {
        ims.write(offset, &[0xff; 8]);
        assert_eq!(all(&ims), before, "{offset:#x}");
    }
    for offset in [0x2040, 1 << 40, u64::MAX - 3] {
        let mut bytes = [0xaa; 16];
        ims.read(offset, &mut bytes);
        assert_eq!(bytes, [0; 16]);
    }
}

#[test]
fn the_table_register_keeps_its_fields_and_cannot_be_changed_while_enabled() {
    let bench = Bench::new(RemapOptions::default());
    let ims = bench.remap.store(ALICE, 4).unwrap();
    // In two halves, the way a 32-bit write comes.
    ims.write(REMAP + 0x10, &0xffff_ffff_u32.to_le_bytes());
    ims.write(REMAP + 0x14, &0x0000_0001_u32.to_le_bytes());
    assert_eq!(bench.read(TABLE_REGISTER), 0x1_ffff_f80f);
    ims.write(REMAP + 0x10, &(TABLE | SIZE).to_le_bytes());
    ims.write(REMAP + 0x18, &[1]);
    assert!(bench.remap.enabled());
    bench.write(TABLE_REGISTER, 0);
    assert_eq!(bench.read(TABLE_REGISTER), TABLE | SIZE);
    bench.write(CONTROL, 0);
    assert!(!bench.remap.enabled());
    bench.write(TABLE_REGISTER, 0);
    assert_eq!(bench.read(TABLE_REGISTER), 0);
}

#[test]
fn one_access_may_reach_over_the_parts() {
    let bench = Bench::enabled();
    let ims = bench.device(ALICE, 4);
    // Ends in the first slot's address.
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&0x1234_5678_u64.to_le_bytes());
    ims.write(SLOTS - 8, &bytes);
    assert_eq!(read32(&ims, SLOTS), 0x1234_5678);
    let mut across = [0xaa; 16];
    ims.read(SLOTS - 8, &mut across);
    assert_eq!(across[..8], [0; 8]);
    assert_eq!(across[8..], 0x1234_5678_u64.to_le_bytes());
}

#[test]
fn a_reset_unit_is_off_without_table_or_records_and_goes_on_counting() {
    let bench = Bench::enabled();
    let ims = bench.device(ALICE, 4);
    program(&ims, 0, 1);
    let _ = (ims.port().raise(0), ims.port().raise(0));
    bench.remap.reset();
    assert_eq!(bench.read(TABLE_REGISTER), 0);
    assert_eq!(bench.read(CONTROL), 0);
    assert_eq!(bench.fault(), None);
    assert_eq!(bench.remap.fault_counts().total(), 2);
}
