// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Config space as a guest sees it.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use proptest::prelude::*;

use super::layout::{bar, capability, command, express, header, msix, power, status};
use super::*;

const PLACE: MsixPlace = MsixPlace {
    table: (4, 0),
    pba: (4, 0x800),
};

fn identity() -> Identity {
    Identity {
        vendor: 0x1234,
        device: 0xabcd,
        class: 0x08_80_01,
        revision: 7,
        subsystem_vendor: 0x1111,
        subsystem: 0x2222,
    }
}

fn builder() -> ConfigBuilder {
    Config::builder(identity())
        .pin(1)
        .bar(0, Bar::memory32(0x1000))
        .bar(1, Bar::io(0x20))
        .bar(2, Bar::memory64(1 << 33).prefetchable())
        .bar(4, Bar::memory32(0x1000))
        .power_management()
        .pcie()
        .msix(16, PLACE)
        .vendor(&[1, 2, 3, 4, 5], &[0, 0xf0, 0, 0xff, 0])
}

fn config() -> Config {
    builder().build().unwrap()
}

fn read32(config: &Config, offset: u16) -> u32 {
    let mut bytes = [0; 4];
    config.read(offset.into(), &mut bytes);
    u32::from_le_bytes(bytes)
}

fn read16(config: &Config, offset: u16) -> u16 {
    let mut bytes = [0; 2];
    config.read(offset.into(), &mut bytes);
    u16::from_le_bytes(bytes)
}

fn write16(config: &Config, offset: u16, value: u16) -> Effects {
    config.write(offset.into(), &value.to_le_bytes())
}

/// Walks the list as a driver does.
fn find(config: &Config, id: u8) -> Option<u16> {
    let mut at = read16(config, header::CAPABILITIES) & 0xff;
    let mut steps = 0;
    while at != 0 {
        assert!(at >= header::END && at.is_multiple_of(4) && steps < 48);
        let [here, next] = read16(config, at).to_le_bytes();
        if here == id {
            return Some(at);
        }
        at = next.into();
        steps += 1;
    }
    None
}

#[test]
fn the_header_says_who_it_is() {
    let config = config();
    assert_eq!(read32(&config, header::VENDOR), 0xabcd_1234);
    assert_eq!(read32(&config, header::REVISION), 0x0880_0107);
    assert_eq!(read32(&config, header::SUBSYSTEM_VENDOR), 0x2222_1111);
    assert_eq!(read16(&config, header::INTERRUPT_LINE), 0x0100);
    assert_eq!(
        read16(&config, header::STATUS) & status::CAPABILITIES,
        status::CAPABILITIES
    );
    // A type 0 header of a function alone in its device, without a ROM.
    assert_eq!(read16(&config, 0x0e), 0);
    assert_eq!(read32(&config, 0x30), 0);
}

#[test]
fn bars_are_sized_by_writing_all_ones() {
    let config = config();
    let table = [
        (0, 0xffff_f000, 0),
        (1, 0xffff_ffe0 | bar::IO, bar::IO),
        (
            2,
            bar::MEMORY_64 | bar::PREFETCHABLE,
            bar::MEMORY_64 | bar::PREFETCHABLE,
        ),
        (3, 0xffff_fffe, 0),
        (4, 0xffff_f000, 0),
        (5, 0, 0),
    ];
    for (index, sized, fresh) in table {
        let offset = bar_offset(index);
        assert_eq!(read32(&config, offset), fresh, "BAR {index}");
        let _ = config.write(offset.into(), &[0xff; 4]);
        assert_eq!(read32(&config, offset), sized, "BAR {index}");
        let _ = config.write(offset.into(), &[0; 4]);
        assert_eq!(read32(&config, offset), fresh, "BAR {index}");
    }
    let sizes: Vec<u64> = (0..7).map(|index| config.bar_size(index)).collect();
    assert_eq!(sizes, [0x1000, 0x20, 1 << 33, 0, 0x1000, 0, 0]);
}

#[test]
fn a_wide_bar_is_sized_and_placed_in_one_write_of_eight_bytes() {
    let config = config();
    let _ = config.write(0x18, &[0xff; 8]);
    let mut bytes = [0; 8];
    config.read(0x18, &mut bytes);
    assert_eq!(u64::from_le_bytes(bytes) & !0xf, !((1 << 33) - 1));
    let _ = config.write(0x18, &0x0012_3456_1234_5678_u64.to_le_bytes());
    assert_eq!(config.bar_address(2), Some(0x0012_3456_0000_0000));
    assert_eq!(config.bar_address(3), None);
}

#[test]
fn bus_mastering_is_told_only_when_it_changes() {
    let config = config();
    assert!(!config.bus_master());
    let on = command::BUS_MASTER | command::MEMORY;
    assert_eq!(write16(&config, header::COMMAND, on).bus_master, Some(true));
    assert!(config.bus_master() && config.memory_space());
    assert_eq!(write16(&config, header::COMMAND, on).bus_master, None);
    let off = write16(&config, header::COMMAND, command::MEMORY);
    assert_eq!(off.bus_master, Some(false));
    assert!(!config.bus_master());
}

#[test]
fn only_the_commands_there_are_can_be_written() {
    let config = config();
    let _ = write16(&config, header::COMMAND, 0xffff);
    assert_eq!(read16(&config, header::COMMAND), command::WRITABLE);
    assert!(config.intx_disabled());
}

#[test]
fn the_pin_shows_in_the_status_and_software_cannot_write_it() {
    let config = config();
    config.set_interrupt_status(true);
    let _ = write16(&config, header::STATUS, 0xffff);
    let bits = status::INTERRUPT | status::CAPABILITIES;
    assert_eq!(read16(&config, header::STATUS), bits);
    config.set_interrupt_status(false);
    assert_eq!(read16(&config, header::STATUS), status::CAPABILITIES);
}

#[test]
fn errors_in_the_status_are_cleared_by_writing_ones() {
    let image = builder().build().unwrap().image;
    let [_, high] = status::CLEARED_BY_ONE.to_le_bytes();
    let at = usize::from(header::STATUS) + 1;
    assert_eq!(image.written(at, high, 0x01), high & !0x01);
    assert_eq!(image.written(at, high, 0x00), high);
    assert_eq!(image.written(at, 0, 0xff), 0);
}

#[test]
fn a_function_level_reset_is_asked_for_by_one_bit_that_reads_as_zero() {
    let config = config();
    let express = find(&config, capability::EXPRESS).unwrap();
    let capabilities = read32(&config, express + express::DEVICE_CAPABILITIES);
    assert_ne!(capabilities & express::FUNCTION_LEVEL_RESET, 0);
    let control = express + express::DEVICE_CONTROL;
    let before = read16(&config, control);
    assert!(write16(&config, control, before | express::INITIATE_RESET).function_reset);
    assert_eq!(read16(&config, control), before);
    assert!(!write16(&config, control, before).function_reset);
    // By its upper byte alone, and in a write that begins elsewhere.
    assert!(config.write(u64::from(control) + 1, &[0x80]).function_reset);
    let mut long = [0; 16];
    long[11] = 0x80;
    assert!(config.write(u64::from(control) - 10, &long).function_reset);
    assert!(!config.write(u64::from(control), &[0x80]).function_reset);
}

#[test]
fn a_reset_clears_what_software_wrote() {
    let config = config();
    let fresh = config.save();
    let _ = config.write(0, &[0xff; 0x100]);
    config.set_interrupt_status(true);
    assert_ne!(config.save(), fresh);
    config.reset();
    assert_eq!(config.save(), fresh);
    assert!(!config.bus_master() && !config.msix().enabled && !config.intx_disabled());
}

#[test]
fn msix_is_enabled_and_masked_as_a_whole() {
    let config = config();
    let at = find(&config, capability::MSIX).unwrap();
    assert_eq!(read16(&config, at + msix::CONTROL), 15);
    assert_eq!(read32(&config, at + msix::TABLE), 4);
    assert_eq!(read32(&config, at + msix::PENDING), 0x800 | 4);
    let on = MsixControl {
        enabled: true,
        masked: false,
    };
    let effects = write16(&config, at + msix::CONTROL, msix::ENABLE);
    assert_eq!((effects.msix, config.msix()), (Some(on), on));
    let effects = write16(&config, at + msix::CONTROL, 0xffff);
    assert_eq!(effects.msix, Some(MsixControl { masked: true, ..on }));
    assert_eq!(
        read16(&config, at + msix::CONTROL),
        msix::ENABLE | msix::FUNCTION_MASK | 15
    );
    assert_eq!(write16(&config, at + msix::CONTROL, 0xffff).msix, None);
    assert_eq!(config.msix_place(), Some((16, PLACE)));
}

#[test]
fn a_function_that_sleeps_masters_no_bus() {
    let config = config();
    let control = find(&config, capability::POWER).unwrap() + power::CONTROL;
    let _ = write16(&config, header::COMMAND, command::BUS_MASTER);
    let sleeps = write16(&config, control, power::D3_HOT);
    assert_eq!(sleeps.bus_master, Some(false));
    // There is no D1 and no D2: the state stays.
    for state in [1, 2] {
        assert_eq!(write16(&config, control, state), Effects::default());
        assert_eq!(read16(&config, control) & power::STATE, power::D3_HOT);
    }
    let wakes = write16(&config, control, 0);
    assert_eq!(
        (wakes.bus_master, wakes.function_reset),
        (Some(true), false)
    );
    assert_eq!(write16(&config, control, 2), Effects::default());
    assert_eq!(read16(&config, control), power::NO_SOFT_RESET);
    // What was written before it slept is still there.
    assert_eq!(read16(&config, header::COMMAND), command::BUS_MASTER);
}

#[test]
fn a_vendor_capability_takes_what_its_mask_allows() {
    let config = config();
    let at = find(&config, capability::VENDOR).unwrap();
    let _ = config.write(u64::from(at), &[0xff; 8]);
    let mut bytes = [0; 6];
    config.read(u64::from(at) + 2, &mut bytes);
    assert_eq!(bytes, [8, 1, 0xf2, 3, 0xff, 5]);
}

#[test]
fn bytes_outside_read_as_ones_and_are_not_written() {
    let config = config();
    assert_eq!(config.size(), 4096);
    // No extended capabilities.
    assert_eq!(read32(&config, 0x100), 0);
    let mut bytes = [0; 4];
    config.read(4094, &mut bytes);
    assert_eq!(bytes, [0, 0, 0xff, 0xff]);
    config.read(u64::MAX, &mut bytes);
    assert_eq!(bytes, [0xff; 4]);
    assert_eq!(config.write(u64::MAX, &[0xff; 4]), Effects::default());
    assert_eq!(config.write(4094, &[0xff; 4]), Effects::default());
    assert_eq!(config.write(0x40, &[]), Effects::default());
    assert_eq!(Config::default().size(), 256);
}

#[test]
fn what_cannot_be_is_refused() {
    let base = || Config::builder(identity()).bar(0, Bar::memory32(0x1000));
    let msix = |vectors, table, pba| base().msix(vectors, MsixPlace { table, pba });
    let table: &[(ConfigBuilder, ConfigError)] = &[
        (
            Config::builder(Identity {
                vendor: 0xffff,
                ..identity()
            }),
            ConfigError::Vendor,
        ),
        (
            Config::builder(Identity {
                class: 1 << 24,
                ..identity()
            }),
            ConfigError::Class(1 << 24),
        ),
        (base().pin(5), ConfigError::Pin(5)),
        (base().bar(0, Bar::io(16)), ConfigError::Bar(0)),
        (base().bar(6, Bar::io(16)), ConfigError::Bar(6)),
        (base().bar(5, Bar::memory64(16)), ConfigError::Bar(5)),
        (
            base()
                .bar(1, Bar::io(16))
                .bar(2, Bar::io(16))
                .bar(1, Bar::memory64(16)),
            ConfigError::Bar(1),
        ),
        (
            base().bar(1, Bar::memory64(16)).bar(2, Bar::io(16)),
            ConfigError::Bar(2),
        ),
        (
            base().bar(1, Bar::memory32(8)),
            ConfigError::BarSize { index: 1, size: 8 },
        ),
        (
            base().bar(1, Bar::memory32(0)),
            ConfigError::BarSize { index: 1, size: 0 },
        ),
        (
            base().bar(1, Bar::memory32(48)),
            ConfigError::BarSize { index: 1, size: 48 },
        ),
        (
            base().bar(1, Bar::memory32(1 << 32)),
            ConfigError::BarSize {
                index: 1,
                size: 1 << 32,
            },
        ),
        (
            base().bar(1, Bar::io(512)),
            ConfigError::BarSize {
                index: 1,
                size: 512,
            },
        ),
        (
            base().bar(1, Bar::io(16).prefetchable()),
            ConfigError::BarSize { index: 1, size: 16 },
        ),
        (msix(0, (0, 0), (0, 0x800)), ConfigError::Vectors(0)),
        (msix(2049, (0, 0), (0, 0x800)), ConfigError::Vectors(2049)),
        (
            msix(16, (1, 0), (0, 0x800)),
            ConfigError::MsixPlace { bar: 1, offset: 0 },
        ),
        (
            msix(16, (7, 0), (0, 0x800)),
            ConfigError::MsixPlace { bar: 7, offset: 0 },
        ),
        (
            msix(16, (0, 4), (0, 0x800)),
            ConfigError::MsixPlace { bar: 0, offset: 4 },
        ),
        (
            msix(16, (0, 0xf08), (0, 0x800)),
            ConfigError::MsixPlace {
                bar: 0,
                offset: 0xf08,
            },
        ),
        (
            msix(16, (0, 0), (0, 0xffff_fff8)),
            ConfigError::MsixPlace {
                bar: 0,
                offset: 0xffff_fff8,
            },
        ),
        (msix(16, (0, 0), (0, 0xf8)), ConfigError::MsixOverlap),
        (
            base().pcie().pcie(),
            ConfigError::Twice(capability::EXPRESS),
        ),
        (base().vendor(&[1], &[]), ConfigError::Mask),
        (base().window(&[0; 16], &[0; 16]), ConfigError::Window),
        (
            base().window(&[0; 17], &[0; 17]).window(&[0; 17], &[0; 17]),
            ConfigError::Window,
        ),
        (base().vendor(&[0; 0xbe], &[0; 0xbe]), ConfigError::Full),
        (
            base().vendor(&[0; 0xbd], &[0; 0xbd]).pcie(),
            ConfigError::Full,
        ),
        (
            base().vendor(&vec![0; 70_000], &vec![0; 70_000]),
            ConfigError::Full,
        ),
    ];
    for (builder, error) in table {
        assert_eq!(builder.clone().build().unwrap_err(), *error);
    }
    assert!(base().vendor(&[0; 0xbd], &[0; 0xbd]).build().is_ok());
    // 252 vectors, and the four words of their pending bits right behind.
    assert!(msix(252, (0, 0), (0, 0xfc0)).build().is_ok());
}

#[test]
fn a_saved_config_space_comes_back_with_its_effects() {
    let first = config();
    let _ = write16(&first, header::COMMAND, command::BUS_MASTER);
    let _ = config_msix_on(&first);
    let saved = ConfigState::from_bytes(first.save().as_bytes());
    let second = config();
    let effects = second.restore(&saved).unwrap();
    assert_eq!(effects.bus_master, Some(true));
    assert!(effects.msix.is_some_and(|msix| msix.enabled));
    assert_eq!(second.save(), saved);
    assert_eq!(second.restore(&saved), Ok(Effects::default()));
}

fn config_msix_on(config: &Config) -> Effects {
    let at = find(config, capability::MSIX).unwrap();
    write16(config, at + msix::CONTROL, msix::ENABLE)
}

#[test]
fn a_saved_config_space_of_another_function_is_refused() {
    let config = config();
    let good = config.save();
    let changed = |offset: usize, byte: u8| {
        let mut bytes = good.as_bytes().to_vec();
        bytes[offset] = byte;
        config.restore(&ConfigState::from_bytes(bytes)).unwrap_err()
    };
    assert_eq!(changed(0, 0), StateError::Foreign { offset: 0 });
    assert_eq!(changed(0x110, 1), StateError::Foreign { offset: 0x110 });
    let control = usize::from(find(&config, capability::POWER).unwrap() + power::CONTROL);
    assert_eq!(changed(control, 0x09), StateError::PowerState);
    let short = ConfigState::from_bytes(vec![0; 256]);
    assert_eq!(
        config.restore(&short),
        Err(StateError::Size {
            expected: 4096,
            found: 256
        })
    );
    assert_eq!(config.save(), good);
}

/// Bits of the function `config()` that software may write, worked out by hand:
/// offset and mask.
const WRITABLE: &[(usize, u8)] = &[
    (0x04, 0x47),
    (0x05, 0x05),
    (0x0c, 0xff),
    (0x3c, 0xff),
    (0x11, 0xf0),
    (0x12, 0xff),
    (0x13, 0xff),
    (0x14, 0xe0),
    (0x15, 0xff),
    (0x16, 0xff),
    (0x17, 0xff),
    (0x1c, 0xfe),
    (0x1d, 0xff),
    (0x1e, 0xff),
    (0x1f, 0xff),
    (0x21, 0xf0),
    (0x22, 0xff),
    (0x23, 0xff),
    // Power management at 0x40, PCI Express at 0x48, MSI-X at 0x84, vendor at 0x90.
    (0x44, 0x03),
    (0x50, 0x1f),
    (0x51, 0x78),
    (0x58, 0xcb),
    (0x87, 0xc0),
    (0x94, 0xf0),
    (0x96, 0xff),
];

proptest! {
    #[test]
    fn only_writable_bits_ever_change(
        writes in prop::collection::vec(
            (0usize..300, prop::collection::vec(any::<u8>(), 0..12)), 1..40),
    ) {
        let config = config();
        let fresh = config.save().as_bytes().to_vec();
        let mut mask = vec![0; fresh.len()];
        for (offset, bits) in WRITABLE {
            mask[*offset] = *bits;
        }
        let mut model = fresh.clone();
        let mut mastered = false;
        for (offset, data) in &writes {
            let effects = config.write(*offset as u64, data);
            let state = model[0x44] & 3;
            for (at, byte) in data.iter().enumerate() {
                let at = offset + at;
                model[at] = model[at] & !mask[at] | byte & mask[at];
            }
            if matches!(model[0x44] & 3, 1 | 2) {
                model[0x44] = model[0x44] & !3 | state;
            }
            let masters = model[4] & 4 != 0 && model[0x44] & 3 == 0;
            prop_assert_eq!(effects.bus_master, (masters != mastered).then_some(masters));
            mastered = masters;
            let bit = 0x51usize.checked_sub(*offset).and_then(|at| data.get(at));
            prop_assert_eq!(effects.function_reset, bit.is_some_and(|byte| byte & 0x80 != 0));
            let now = config.save();
            prop_assert_eq!(now.as_bytes(), &model[..]);
        }
    }

    #[test]
    fn no_saved_bytes_change_what_cannot_change(
        changes in prop::collection::vec((0usize..256, any::<u8>()), 0..4),
    ) {
        let config = config();
        let mut bytes = config.save().as_bytes().to_vec();
        for (offset, byte) in changes {
            bytes[offset] = byte;
        }
        let fresh = config.save();
        let state = ConfigState::from_bytes(bytes);
        match config.restore(&state) {
            Ok(_) => {
                config.reset();
                prop_assert_eq!(config.save(), fresh);
            }
            Err(_) => prop_assert_eq!(config.save(), fresh),
        }
    }
}
