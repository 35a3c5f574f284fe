// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a DIF operation's operands must be.
use super::*;
use crate::layout::DestinationDif;

const DIF: [Opcode; 4] = [
    Opcode::DifCheck,
    Opcode::DifInsert,
    Opcode::DifStrip,
    Opcode::DifUpdate,
];

/// A DIF operation with flags, from 0x10_0000 to `to`.
fn dif(opcode: Opcode, flags: [u8; 3], to: u64, size: u32) -> Descriptor {
    let [source, destination, general] = flags;
    let to = if opcode == Opcode::DifCheck { 0 } else { to };
    Descriptor {
        extra: U64::from_bytes([source, destination, general, 0, 0, 0, 0, 0]),
        ..transfer(opcode, 0, 0x10_0000, to, size)
    }
}

#[test]
fn a_transfer_is_whole_blocks() {
    for (code, block) in [(0u8, 512u32), (1, 520), (2, 4096), (3, 4104)] {
        for opcode in DIF {
            let taken = if opcode == Opcode::DifInsert {
                block
            } else {
                block + 8
            };
            for (size, expected) in [
                (taken, Status::Success),
                (3 * taken, Status::Success),
                (taken - 8, Status::TransferSize),
                (taken + 8, Status::TransferSize),
                (2 * taken - 1, Status::TransferSize),
                (0, Status::TransferSize),
            ] {
                let descriptor = dif(opcode, [0, 0, code], 0x80_0000, size);
                assert_eq!(
                    status(&descriptor, &RULES),
                    expected,
                    "{opcode:?} {block} {size}"
                );
            }
        }
    }
}

#[test]
fn reserved_dif_flags_are_refused() {
    let (reserved, fine) = (Status::ReservedNotZero, Status::Success);
    for opcode in DIF {
        let size = if opcode == Opcode::DifInsert {
            1024
        } else {
            1040
        };
        let run = |flags| status(&dif(opcode, flags, 0x80_0000, size), &RULES);
        let reads = opcode != Opcode::DifInsert;
        let makes = matches!(opcode, Opcode::DifInsert | Opcode::DifUpdate);
        let when = |allowed| if allowed { fine } else { reserved };
        for bit in 0..8u8 {
            assert_eq!(
                run([1 << bit, 0, 0]),
                when(reads),
                "{opcode:?} source {bit}"
            );
            let passes = DestinationDif::from(1 << bit).passes();
            let allowed = makes && bit >= 3 && (reads || !passes);
            assert_eq!(
                run([0, 1 << bit, 0]),
                when(allowed),
                "{opcode:?} destination {bit}"
            );
        }
        for bit in 2..8u8 {
            assert_eq!(
                run([0, 0, 1 << bit]),
                when(bit < 4),
                "{opcode:?} general {bit}"
            );
        }
    }
}

#[test]
fn what_is_copied_lies_apart() {
    let from = 0x10_0000;
    for (opcode, size, written) in [
        (Opcode::DifInsert, 1024, 1040),
        (Opcode::DifStrip, 1040, 1024),
        (Opcode::DifUpdate, 1040, 1040),
    ] {
        for (to, expected) in [
            (from, Status::Overlap),
            (from + u64::from(size) - 1, Status::Overlap),
            (from + u64::from(size), Status::Success),
            (from - written + 1, Status::Overlap),
            (from - written, Status::Success),
        ] {
            let descriptor = dif(opcode, [0; 3], to, size);
            assert_eq!(status(&descriptor, &RULES), expected, "{opcode:?} {to:#x}");
        }
    }
}
