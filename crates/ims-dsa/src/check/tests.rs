// SPDX-License-Identifier: Apache-2.0 OR MIT
use zerocopy::little_endian::{U16, U32, U64};

use super::*;
use crate::layout::OperationSet;
use crate::testing::{recorded, transfer, with_flags};

mod delta;
mod dif;
mod reserved;

const RULES: Rules = Rules {
    capabilities: Capabilities {
        overlapping_copy: true,
        cache_control: true,
        flush_cache_control: true,
        readback: true,
        batch_of_one: false,
    },
    limits: Limits {
        max_transfer_shift: 20,
        max_batch_shift: 4,
        operations: OperationSet::ALL,
        block_on_fault: false,
    },
    in_batch: false,
};
const IN_BATCH: Rules = Rules {
    in_batch: true,
    ..RULES
};

fn status(descriptor: &Descriptor, rules: &Rules) -> Status {
    check(descriptor, rules).map_or_else(|refusal| refusal.status, |_| Status::Success)
}

fn invalid(descriptor: &Descriptor, rules: &Rules) -> Flags {
    let refusal = check(descriptor, rules).unwrap_err();
    assert_eq!(refusal.status, Status::InvalidFlags);
    refusal.invalid_flags
}

/// A descriptor of each operation that passes.
fn good(opcode: Opcode) -> Descriptor {
    match opcode {
        Opcode::NoOp | Opcode::Drain => recorded(opcode, 0),
        Opcode::Batch => transfer(opcode, 0, 64, 0, 2),
        Opcode::Fill => transfer(opcode, 0, u64::MAX, 0x1000, 8),
        Opcode::Crc => transfer(opcode, 0, 0x1000, 0, 8),
        Opcode::CacheFlush => transfer(opcode, 0, 0, 0x2000, 8),
        Opcode::CreateDelta => Descriptor {
            extra: U64::new(0x3000),
            seed_address: U64::new(80),
            ..transfer(opcode, 0, 0x1000, 0x2000, 8)
        },
        Opcode::ApplyDelta => Descriptor {
            extra: U64::new(10),
            ..transfer(opcode, 0, 0x1000, 0x2000, 8)
        },
        Opcode::DifCheck => transfer(opcode, 0, 0x1000, 0, 2 * 520),
        Opcode::DifInsert => transfer(opcode, 0, 0x1000, 0x2000, 2 * 512),
        Opcode::DifStrip | Opcode::DifUpdate => transfer(opcode, 0, 0x1000, 0x2000, 2 * 520),
        Opcode::Dualcast => Descriptor {
            extra: U64::new(0x3000),
            ..transfer(opcode, 0, 0x1000, 0x2000, 8)
        },
        _ => transfer(opcode, 0, 0x1000, 0x2000, 8),
    }
}

#[test]
fn a_good_descriptor_of_each_operation_passes() {
    for opcode in Opcode::ALL {
        assert_eq!(check(&good(opcode), &RULES), Ok(opcode));
    }
}

#[test]
fn unknown_and_disallowed_operations_are_refused() {
    for code in [0x0au8, 0x0f, 0x16, 0x1f, 0x21, 0xff] {
        let descriptor = Descriptor::new(code, Flags::NONE);
        assert_eq!(status(&descriptor, &RULES), Status::InvalidOpcode);
    }
    let operations = OperationSet::from_bits(1 << Opcode::Fill as u8);
    let only_fill = Rules {
        limits: Limits {
            operations,
            ..RULES.limits
        },
        ..RULES
    };
    assert_eq!(status(&good(Opcode::Fill), &only_fill), Status::Success);
    assert_eq!(
        status(&good(Opcode::MemoryMove), &only_fill),
        Status::InvalidOpcode
    );
}

#[test]
fn batch_and_drain_are_refused_in_a_batch() {
    for opcode in Opcode::ALL {
        let refused = matches!(opcode, Opcode::Batch | Opcode::Drain);
        let expected = if refused {
            Status::InvalidOpcode
        } else {
            Status::Success
        };
        assert_eq!(status(&good(opcode), &IN_BATCH), expected, "{opcode:?}");
    }
}

#[test]
fn a_fence_is_for_batches_only() {
    let fenced = with_flags(good(Opcode::NoOp), Flags::FENCE);
    assert_eq!(status(&fenced, &IN_BATCH), Status::Success);
    assert_eq!(invalid(&fenced, &RULES), Flags::FENCE);
}

#[test]
fn reserved_flags_are_named_in_the_refusal() {
    for opcode in Opcode::ALL {
        for bit in [1, 5, 6, 15, 19, 20, 21, 22, 23] {
            let flag = Flags::from_bits(1 << bit);
            assert_eq!(
                invalid(&with_flags(good(opcode), flag), &RULES),
                flag,
                "{opcode:?} {bit}"
            );
        }
    }
    let checked = with_flags(good(Opcode::MemoryMove), Flags::CHECK_RESULT);
    assert_eq!(invalid(&checked, &RULES), Flags::CHECK_RESULT);
    let seeded = with_flags(good(Opcode::Fill), Flags::READ_SEED);
    assert_eq!(invalid(&seeded, &RULES), Flags::READ_SEED);
}

#[test]
fn required_flags_are_named_when_missing() {
    let record = Flags::RECORD_VALID | Flags::REQUEST_RECORD;
    for opcode in [
        Opcode::Compare,
        Opcode::ComparePattern,
        Opcode::CreateDelta,
        Opcode::Crc,
        Opcode::CopyCrc,
    ] {
        let bare = Descriptor {
            command: U32::new(u32::from(opcode as u8) << 24),
            ..good(opcode)
        };
        assert_eq!(invalid(&bare, &RULES), record);
    }
    assert_eq!(
        invalid(&Descriptor::new(Opcode::Drain, Flags::NONE), &RULES),
        Flags::REQUEST_RECORD
    );
    let interrupt_only = Descriptor::new(Opcode::Drain, Flags::REQUEST_INTERRUPT);
    assert_eq!(status(&interrupt_only, &RULES), Status::Success);
}

#[test]
fn a_record_cannot_be_requested_without_an_address() {
    let descriptor = Descriptor::new(Opcode::NoOp, Flags::REQUEST_RECORD);
    assert_eq!(invalid(&descriptor, &RULES), Flags::REQUEST_RECORD);
}

#[test]
fn flags_of_missing_capabilities_are_reserved() {
    let capabilities = Capabilities {
        cache_control: false,
        readback: false,
        ..RULES.capabilities
    };
    let bare = Rules {
        capabilities,
        ..RULES
    };
    for flag in [Flags::CACHE_CONTROL, Flags::READBACK] {
        let descriptor = with_flags(good(Opcode::MemoryMove), flag);
        assert_eq!(status(&descriptor, &RULES), Status::Success);
        assert_eq!(invalid(&descriptor, &bare), flag);
    }
}

#[test]
fn a_flush_has_a_cache_control_capability_of_its_own() {
    let bare = |cache_control, flush_cache_control| Rules {
        capabilities: Capabilities {
            cache_control,
            flush_cache_control,
            ..RULES.capabilities
        },
        ..RULES
    };
    let control = Flags::CACHE_CONTROL;
    let flush = with_flags(good(Opcode::CacheFlush), control);
    let fill = with_flags(good(Opcode::Fill), control);
    assert_eq!(status(&flush, &bare(false, true)), Status::Success);
    assert_eq!(invalid(&flush, &bare(true, false)), control);
    assert_eq!(status(&fill, &bare(true, false)), Status::Success);
    assert_eq!(invalid(&fill, &bare(false, true)), control);
}

#[test]
fn sizes_are_bounded_by_the_queue() {
    for (size, expected) in [
        (0, Status::TransferSize),
        (1 << 20, Status::Success),
        ((1 << 20) + 1, Status::TransferSize),
        (u32::MAX, Status::TransferSize),
    ] {
        let descriptor = Descriptor {
            size: U32::new(size),
            ..good(Opcode::MemoryMove)
        };
        assert_eq!(status(&descriptor, &RULES), expected, "{size}");
    }
    for (count, expected) in [
        (0, Status::DescriptorCount),
        (1, Status::DescriptorCount),
        (16, Status::Success),
        (17, Status::DescriptorCount),
    ] {
        let descriptor = Descriptor {
            size: U32::new(count),
            ..good(Opcode::Batch)
        };
        assert_eq!(status(&descriptor, &RULES), expected, "{count}");
    }
    let capabilities = Capabilities {
        batch_of_one: true,
        ..RULES.capabilities
    };
    let one = Descriptor {
        size: U32::new(1),
        ..good(Opcode::Batch)
    };
    assert_eq!(
        status(
            &one,
            &Rules {
                capabilities,
                ..RULES
            }
        ),
        Status::Success
    );
}

#[test]
fn overlap_is_refused_where_it_cannot_be_handled() {
    let near = |opcode| transfer(opcode, 0, 0x1000, 0x1007, 8);
    let apart = |opcode| transfer(opcode, 0, 0x1000, 0x1008, 8);
    let capabilities = Capabilities {
        overlapping_copy: false,
        ..RULES.capabilities
    };
    let without = Rules {
        capabilities,
        ..RULES
    };
    assert_eq!(status(&near(Opcode::MemoryMove), &RULES), Status::Success);
    assert_eq!(status(&near(Opcode::MemoryMove), &without), Status::Overlap);
    assert_eq!(
        status(&apart(Opcode::MemoryMove), &without),
        Status::Success
    );
    assert_eq!(status(&near(Opcode::CopyCrc), &RULES), Status::Overlap);
    assert_eq!(status(&apart(Opcode::CopyCrc), &RULES), Status::Success);
    let twice = Descriptor {
        extra: U64::new(0x2000),
        ..good(Opcode::Dualcast)
    };
    assert_eq!(status(&twice, &RULES), Status::Overlap);
}

#[test]
fn addresses_are_aligned_where_the_specification_says() {
    let apart = Descriptor {
        extra: U64::new(0x3010),
        ..good(Opcode::Dualcast)
    };
    assert_eq!(status(&apart, &RULES), Status::DualcastAlignment);
    let list = Descriptor {
        source: U64::new(32),
        ..good(Opcode::Batch)
    };
    assert_eq!(status(&list, &RULES), Status::ListAlignment);
    let seed = with_flags(good(Opcode::Crc), Flags::READ_SEED);
    let seed = Descriptor {
        seed_address: U64::new(2),
        ..seed
    };
    assert_eq!(status(&seed, &RULES), Status::AddressAlignment);
}

#[test]
fn a_descriptor_may_block_on_a_fault_only_where_its_queue_lets_it() {
    let allowing = Rules {
        limits: Limits {
            block_on_fault: true,
            ..RULES.limits
        },
        ..RULES
    };
    let copy = Descriptor {
        size: U32::new(64),
        destination: U64::new(0x1000),
        ..Descriptor::new(Opcode::MemoryMove, Flags::BLOCK_ON_FAULT)
    };
    assert_eq!(status(&copy, &RULES), Status::InvalidFlags);
    assert_eq!(status(&copy, &allowing), Status::Success);
    // It has no memory to wait for.
    let nop = Descriptor::new(Opcode::NoOp, Flags::BLOCK_ON_FAULT);
    assert_eq!(status(&nop, &allowing), Status::InvalidFlags);
}
