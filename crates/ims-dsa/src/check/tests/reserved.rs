// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which bytes of a descriptor must be zero.
use super::*;

/// Each operation with the bytes it takes after the handle; by what stands in
/// the specification's figures, not by what the code does.
#[test]
fn only_the_bytes_an_operation_has_a_use_for_may_be_other_than_zero() {
    for opcode in Opcode::ALL {
        let used: &[usize] = match opcode {
            Opcode::NoOp | Opcode::Batch | Opcode::Drain => &[],
            Opcode::MemoryMove | Opcode::Fill | Opcode::CacheFlush => &[],
            Opcode::Compare | Opcode::ComparePattern => &[40],
            Opcode::CreateDelta => &[40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 56],
            Opcode::ApplyDelta => &[40, 41, 42, 43],
            Opcode::Dualcast => &[40, 41, 42, 43, 44, 45, 46, 47],
            Opcode::Crc | Opcode::CopyCrc => &[40, 41, 42, 43],
            Opcode::DifCheck | Opcode::DifStrip => &[40, 42, 48, 49, 50, 51, 52, 53, 54, 55],
            Opcode::DifInsert => &[41, 42, 56, 57, 58, 59, 60, 61, 62, 63],
            Opcode::DifUpdate => &[
                40, 41, 42, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63,
            ],
        };
        for at in 38..64 {
            let mut bytes: [u8; 64] = zerocopy::transmute!(good(opcode));
            // The highest bit is no reserved bit of any flags but byte 42's.
            bytes[at] |= if at == 42 { 1 } else { 0x80 };
            let refused = status(&Descriptor::from_bytes(&bytes), &RULES);
            let reserved = refused == Status::ReservedNotZero;
            assert_eq!(reserved, !used.contains(&at), "{opcode:?} byte {at}");
        }
    }
}

#[test]
fn reserved_fields_must_be_zero() {
    for opcode in Opcode::ALL {
        let reserved = Descriptor {
            reserved: U16::new(1),
            ..good(opcode)
        };
        assert_eq!(
            status(&reserved, &RULES),
            Status::ReservedNotZero,
            "{opcode:?}"
        );
    }
    for opcode in [Opcode::NoOp, Opcode::CacheFlush] {
        let source = Descriptor {
            source: U64::new(1),
            ..good(opcode)
        };
        assert_eq!(status(&source, &RULES), Status::ReservedNotZero);
    }
    let destination = Descriptor {
        destination: U64::new(1),
        ..good(Opcode::DifCheck)
    };
    assert_eq!(status(&destination, &RULES), Status::ReservedNotZero);
    // A seed address without the flag, a seed with it.
    let address = Descriptor {
        seed_address: U64::new(8),
        ..good(Opcode::Crc)
    };
    assert_eq!(status(&address, &RULES), Status::ReservedNotZero);
    let seed = Descriptor {
        extra: U64::new(8),
        ..with_flags(good(Opcode::Crc), Flags::READ_SEED)
    };
    assert_eq!(status(&seed, &RULES), Status::ReservedNotZero);
}

#[test]
fn handle_and_expected_result_are_not_reserved() {
    let handle = Descriptor {
        handle: U16::new(9),
        ..good(Opcode::NoOp)
    };
    assert_eq!(status(&handle, &RULES), Status::Success);
    let expected = Descriptor {
        extra: U64::new(0xff),
        ..good(Opcode::Compare)
    };
    assert_eq!(status(&expected, &RULES), Status::Success);
}
