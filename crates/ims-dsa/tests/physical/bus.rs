// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a bus driver finds.

use ims_dsa::front::{Parameters, map};
use ims_dsa::layout::command::Command;
use ims_dsa::layout::registers::{self, GeneralCapabilities};
use ims_dsa::physical::{PhysicalConfig, PhysicalError, PhysicalFunction};
use ims_vfio::Endpoint;
use ims_vfio::layout::region;

use crate::driver::Rig;

fn read32(endpoint: &Endpoint, offset: u64) -> u32 {
    let mut bytes = [0; 4];
    endpoint.read(region::CONFIG, offset, &mut bytes).unwrap();
    u32::from_le_bytes(bytes)
}

#[test]
fn config_space_names_the_device_and_its_interrupts() {
    let rig = Rig::new();
    let endpoint = &rig.endpoint;
    assert_eq!(read32(endpoint, 0), 0x0b25_8086);
    assert_eq!(read32(endpoint, 8) >> 8, 0x08_80_00);
    assert_eq!(endpoint.region(0).unwrap().size, 0x2_0000);
    assert_eq!(endpoint.region(2).unwrap().size, 8 * 4 * 4096);
    // Walks to MSI-X: nine vectors, table and pending bits in BAR 0.
    let mut at = read32(endpoint, 0x34) & 0xff;
    while read32(endpoint, at.into()) & 0xff != 0x11 {
        at = read32(endpoint, at.into()) >> 8 & 0xff;
        assert_ne!(at, 0, "no MSI-X");
    }
    let at = u64::from(at);
    assert_eq!(read32(endpoint, at) >> 16 & 0x7ff, 8);
    assert_eq!(u64::from(read32(endpoint, at + 4)), map::MSIX_TABLE);
    assert_eq!(u64::from(read32(endpoint, at + 8)), map::MSIX_PENDING);
}

#[test]
fn drivers_find_the_store_as_they_look_for_it() {
    let rig = Rig::new();
    let endpoint = &rig.endpoint;
    // DVSEC of Intel, id 5; capabilities at +0x14, bit 0: IMS supported.
    assert_eq!(read32(endpoint, 0x100), 0x0001_0023);
    assert_eq!(read32(endpoint, 0x104), 0x0181_8086);
    assert_eq!(read32(endpoint, 0x108), 0x0000_0005);
    let pages_and_capabilities = [0x10c, 0x110, 0x114].map(|at| read32(endpoint, at));
    assert_eq!(pages_and_capabilities, [1, 1, 1]);
    let general = GeneralCapabilities::from(rig.read64(registers::GENCAP));
    assert_eq!(u32::from(general.ims_size()) * 256, 2048);
    let offsets = rig.read64(registers::OFFSETS);
    assert_eq!((offsets >> 48) * 0x100, map::IMS);
    let last = map::IMS + 2047 * 16;
    rig.write64(last, 0xfee0_1234_5678_9ab0);
    assert_eq!(rig.read64(last), 0xfee0_1234_5678_9ab0);
    assert_eq!(rig.read32(last + 12), 1, "masked at first");
    // An access of sixteen bytes.
    let entry: Vec<u8> = (0..12).chain([1, 0, 0, 0]).collect();
    rig.write(0, last, &entry);
    let mut read = [0; 16];
    endpoint.read(0, last, &mut read).unwrap();
    assert_eq!(read[..], entry[..]);
}

#[test]
fn without_a_store_none_is_shown() {
    let parameters = Parameters {
        ims_entries: 0,
        ..Parameters::default()
    };
    let config = PhysicalConfig {
        parameters,
        ..PhysicalConfig::default()
    };
    let endpoint = Endpoint::new(PhysicalFunction::new(config).unwrap());
    assert_eq!(read32(&endpoint, 0x100), 0);
    let mut bytes = [0xaa; 16];
    endpoint.read(0, map::IMS, &mut bytes).unwrap();
    assert_eq!(bytes, [0; 16]);
    let _ = endpoint.write(0, map::IMS, &[0xff; 16]).unwrap();
}

#[test]
fn what_cannot_be_announced_is_not_made() {
    let parameters = Parameters {
        ims_entries: 100,
        ..Parameters::default()
    };
    let config = PhysicalConfig {
        parameters,
        ..PhysicalConfig::default()
    };
    let error = PhysicalFunction::new(config).unwrap_err();
    assert!(matches!(error, PhysicalError::Parameters(_)), "{error}");
}

#[test]
fn enable_and_disable_can_go_on_and_on() {
    let rig = Rig::new();
    for _ in 0..20 {
        rig.enable(2, 4, 0);
        rig.done(Command::DisableQueue, 0b11);
        rig.done(Command::DisableDevice, 0);
    }
}
