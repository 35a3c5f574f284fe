// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Accesses of odd sizes and places, and the bits that are not the guest's.

use super::bench::{
    ENABLED, FUNCTION_MASKED, guest, mask, message, pba, pending, program, running, set_control,
    table,
};
use crate::message::Message;

#[test]
fn only_enable_and_function_mask_can_be_written_in_the_capability() {
    let (mut msix, _) = guest(3);
    let before = msix.capability();
    msix.write_config(0, &[0xff; 12]);
    let mut expected = before;
    expected[3] = 0xc0;
    assert_eq!(msix.capability(), expected);
    msix.write_config(0, &[0; 12]);
    assert_eq!(msix.capability(), before);
}

#[test]
fn enable_and_function_mask_are_written_by_any_access_that_covers_them() {
    for (offset, size) in [(3, 1), (2, 2), (0, 4), (1, 3), (3, 9), (2, 4)] {
        let (mut msix, _) = guest(3);
        let mut bytes = vec![0; size];
        bytes[usize::from(3 - offset)] = 0xc0;
        msix.write_config(offset, &bytes);
        assert!(msix.enabled() && msix.function_masked(), "{offset} {size}");
    }
    for (offset, size) in [(0, 3), (4, 8), (2, 1), (12, 4), (u16::MAX, 4)] {
        let (mut msix, _) = guest(3);
        msix.write_config(offset, &vec![0xff; size]);
        assert!(!msix.enabled(), "{offset} {size}");
        assert!(!msix.function_masked(), "{offset} {size}");
    }
}

#[test]
fn the_capability_is_read_from_any_byte_and_is_zero_behind_its_end() {
    let (msix, _) = guest(2048);
    for offset in 0..20 {
        for size in 0..16 {
            let mut into = vec![0xaa; size];
            msix.read_config(offset, &mut into);
            let behind = msix.capability().into_iter().chain([0; 40]);
            let expected = behind.skip(offset.into()).take(size);
            assert!(into.into_iter().eq(expected), "{offset} {size}");
        }
    }
    let mut into = [0xaa; 4];
    msix.read_config(u16::MAX, &mut into);
    assert_eq!(into, [0; 4]);
}

#[test]
fn vector_control_keeps_its_mask_bit_alone() {
    let (mut msix, _) = guest(2);
    msix.write_table(16 + 12, &[0xff; 4]);
    assert_eq!(table(&msix)[28..], [1, 0, 0, 0]);
    msix.write_table(16 + 12, &0xffff_fffe_u32.to_le_bytes());
    assert_eq!(table(&msix)[28..], [0, 0, 0, 0]);
    // Reserved bytes alone do not change the mask.
    msix.write_table(16 + 13, &[0xff; 3]);
    assert_eq!(table(&msix)[28..], [0, 0, 0, 0]);
}

#[test]
fn neither_pending_nor_a_function_mask_shows_in_the_table() {
    let (mut msix, _) = running(1);
    set_control(&mut msix, ENABLED | FUNCTION_MASKED);
    let _ = msix.port().raise(0);
    assert_eq!(table(&msix)[12..], [0; 4]);
    assert_eq!(pending(&msix), [0]);
    assert!(!msix.vector(0).unwrap().masked);
}

#[test]
fn an_access_may_straddle_entries_and_the_end() {
    let (mut msix, _) = running(2);
    msix.write_table(10, &[0x11; 10]);
    let bytes = table(&msix);
    assert_eq!(bytes[8..16], [0, 0x40, 0x11, 0x11, 1, 0, 0, 0]);
    assert_eq!(bytes[16..24], [0x11, 0x11, 0x11, 0x11, 0, 0, 0, 0]);
    // The last four bytes inside, the rest nowhere.
    msix.write_table(28, &[0xff; 64]);
    assert_eq!(table(&msix)[28..], [1, 0, 0, 0]);
    let mut into = [0xaa; 12];
    msix.read_table(28, &mut into);
    assert_eq!(into, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn what_lies_outside_reads_as_zero_and_cannot_be_written() {
    let (mut msix, sink) = running(65);
    let before = table(&msix);
    let outside = [65 * 16, 1 << 20, 1 << 32, (1 << 36) + 12, u64::MAX - 2];
    for offset in outside {
        msix.write_table(offset, &[0; 16]);
        msix.write_table(offset, &[0xff; 16]);
        let mut into = [0xaa; 16];
        msix.read_table(offset, &mut into);
        assert_eq!(into, [0; 16]);
        let mut into = [0xaa; 16];
        msix.read_pba(offset, &mut into);
        assert_eq!(into, [0; 16]);
    }
    assert_eq!(table(&msix), before);
    assert_eq!(sink.taken(), []);
}

#[test]
fn an_empty_access_does_nothing() {
    let (mut msix, _) = running(1);
    let before = msix.save();
    msix.write_table(12, &[]);
    msix.write_config(3, &[]);
    msix.read_table(0, &mut []);
    msix.read_pba(0, &mut []);
    msix.read_config(0, &mut []);
    assert_eq!(msix.save(), before);
}

#[test]
fn pending_bits_are_read_at_any_size_and_those_of_no_vector_are_zero() {
    let (mut msix, _) = running(67);
    set_control(&mut msix, 0);
    for vector in [0, 9, 63, 64, 66] {
        let _ = msix.port().raise(vector);
    }
    let whole = [1, 2, 0, 0, 0, 0, 0, 0x80, 5, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(pba(&msix), whole);
    for offset in 0..20 {
        for size in 0..18 {
            let mut into = vec![0xaa; size];
            msix.read_pba(offset, &mut into);
            let expected = whole.into_iter().chain([0; 40]);
            assert!(
                into.into_iter()
                    .eq(expected.skip(offset as usize).take(size))
            );
        }
    }
}

#[test]
fn a_qword_of_data_and_control_takes_effect_as_one() {
    let (mut msix, sink) = running(1);
    mask(&mut msix, 0, true);
    let _ = msix.port().raise(0);
    // Unmasked with its new data: what was kept goes out with that.
    msix.write_table(8, &0x1234_u64.to_le_bytes());
    let data = 0x1234;
    assert_eq!(sink.taken(), [Message { data, ..message(0) }]);
    // A whole entry in one access: address first.
    mask(&mut msix, 0, true);
    let _ = msix.port().raise(0);
    let mut entry = [0; 16];
    entry[..8].copy_from_slice(&0x11_fee0_5000_u64.to_le_bytes());
    entry[8] = 0x77;
    msix.write_table(0, &entry);
    let expected = Message {
        address: 0x11_fee0_5000,
        data: 0x77,
    };
    assert_eq!(sink.taken(), [expected]);
}

#[test]
fn each_dword_of_the_address_can_be_written_alone() {
    let (mut msix, _) = guest(1);
    program(&mut msix, 0, message(5), true);
    msix.write_table(4, &0xdead_beef_u32.to_le_bytes());
    let address = 0xdead_beef_0000_0000 | message(5).address;
    assert_eq!(msix.vector(0).unwrap().message.address, address);
    msix.write_table(0, &0xfee0_1000_u32.to_le_bytes());
    let address = 0xdead_beef_fee0_1000;
    assert_eq!(msix.vector(0).unwrap().message.address, address);
    assert_eq!(msix.vector(0).unwrap().message.data, message(5).data);
}
