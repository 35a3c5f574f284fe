// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Resets, bus mastering, clients that come and go.

use ims_dsa::adi::{AdiConfig, AdiState};
use ims_dsa::layout::registers::SWERROR;
use ims_vfio::Hold;
use ims_vfio::layout::region;

use crate::guest::{Guest, MEMORY_AND_MASTER, RAM, SUCCESS, Told, copy, fired, wait};
use crate::neighbours::work;
use crate::parent;

const RECORD: u64 = RAM + 0x1000;
/// Device control of the PCI Express capability: function-level reset.
const INITIATE_RESET: u16 = 1 << 15;

/// Where the PCI Express capability is.
fn express(guest: &Guest) -> u64 {
    let byte = |at: u64| {
        let mut byte = [0];
        guest.endpoint.read(region::CONFIG, at, &mut byte).unwrap();
        u64::from(byte[0])
    };
    let mut at = byte(0x34);
    while byte(at) != 0x10 {
        at = byte(at + 1);
        assert_ne!(at, 0, "no PCI Express capability");
    }
    at
}

#[test]
fn bus_mastering_going_off_halts_this_device_and_no_other() {
    let parent = parent();
    let (guest, triggers) = Guest::enabled(&parent.compose(AdiConfig::default()).unwrap());
    let (other, _others) = Guest::enabled(&parent.compose(AdiConfig::default()).unwrap());
    let handle = other.handle(1);
    // The halt interrupts, if its guest wants that.
    guest.write32(ims_dsa::layout::registers::GENCTRL, 3);
    guest.command(0x2);
    fired(&triggers[0]);
    wait("the halt", || guest.state() == 3);
    assert_eq!(guest.report().state, AdiState::Halted);
    assert_eq!(guest.read32(SWERROR) >> 8 & 0xff, 0x51);
    guest.submit(0, 0, &copy(RAM, RAM + 64, 8, RECORD, None));
    assert_eq!(guest.ram.status(RECORD), 0);
    let stop = false.into();
    std::thread::scope(|scope| {
        let neighbour = scope.spawn(|| work(&other, handle, &stop));
        wait("the neighbour", || other.vector(1).raised > 20);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        neighbour.join().unwrap();
    });
    // Only a function-level reset leads out.
    let told = Told::default();
    let control = express(&guest) + 8;
    guest.config(control, &INITIATE_RESET.to_le_bytes(), told.hold());
    told.wait();
    assert_eq!(guest.state(), 0);
    guest.command(MEMORY_AND_MASTER);
    guest.enable();
    guest.submit(0, 0, &copy(RAM, RAM + 64, 8, RECORD, None));
    wait("the record", || guest.ram.status(RECORD) == SUCCESS);
}

#[test]
fn a_reset_is_answered_when_engines_have_let_go_and_nothing_is_written_after() {
    let parent = parent();
    let device = parent.compose(AdiConfig::default()).unwrap();
    for _ in 0..50 {
        let (guest, _triggers) = Guest::enabled(&device);
        let handle = guest.handle(1);
        for n in 0..100 {
            let record = RECORD + n % 32 * 32;
            guest.submit(
                0,
                n,
                &copy(RAM, RAM + 0x1_0000, 0x4000, record, Some(handle)),
            );
        }
        let told = Told::default();
        guest.endpoint.reset(told.hold());
        told.wait();
        guest.ram.write(RECORD, &[0xee; 1024]);
        guest.ram.write(RAM + 0x1_0000, &[0xee; 0x4000]);
        let parents = parent.usage().engines;
        guest.command(MEMORY_AND_MASTER);
        guest.enable();
        guest.submit(0, 0, &copy(RAM, RAM + 0x8000, 8, RAM + 0x9000, None));
        wait("the record", || guest.ram.status(RAM + 0x9000) == SUCCESS);
        wait("the engines' count", || {
            parent.usage().engines.descriptors == parents.descriptors + 1
        });
        let mut bytes = [0; 1024];
        guest.ram.read(RECORD, &mut bytes);
        assert_eq!(bytes, [0xee; 1024]);
        guest.ram.read(RAM + 0x1_0000, &mut bytes);
        assert_eq!(bytes, [0xee; 1024]);
        let told = Told::default();
        guest.endpoint.detach(told.hold());
        told.wait();
    }
    wait("the entries", || parent.usage().ims_used == 0);
}

#[test]
fn nothing_of_one_client_reaches_the_next_ones_memory() {
    let parent = parent();
    let device = parent.compose(AdiConfig::default()).unwrap();
    for round in 0..30 {
        let (old, _triggers) = Guest::enabled(&device);
        let handle = old.handle(1);
        for n in 0..120 {
            let record = RECORD + n % 64 * 32;
            old.submit(
                0,
                n,
                &copy(RAM, RAM + 0x1_0000, 0x8000, record, Some(handle)),
            );
        }
        // Half a descriptor stays in a portal.
        let half = copy(RAM, RAM + 0x1_0000, 0x8000, RECORD, None);
        let bytes = zerocopy::IntoBytes::as_bytes(&half);
        let _ = old.endpoint.write(2, 63 * 64, &bytes[..32]).unwrap();
        old.endpoint.detach(Hold::nobody());
        // The next one maps the same addresses at once.
        let (new, triggers) = Guest::enabled(&device);
        let _ = new.endpoint.write(2, 63 * 64 + 32, &[0; 32]).unwrap();
        let handle = new.handle(1);
        let own = copy(
            RAM + 0x2_0000,
            RAM + 0x2_1000,
            8,
            RAM + 0x2_2000,
            Some(handle),
        );
        new.submit(0, 0, &own);
        fired(&triggers[1]);
        let mut all = vec![0; 0x2_0000];
        new.ram.read(RAM, &mut all);
        assert!(all.iter().all(|byte| *byte == 0), "round {round}");
        assert_eq!(new.ram.status(RAM + 0x2_2000), SUCCESS);
        let told = Told::default();
        new.endpoint.detach(told.hold());
        told.wait();
    }
    assert_eq!(device.report().state, AdiState::Disabled);
}

#[test]
fn a_pasid_comes_back_late_and_only_when_its_device_is_over() {
    let parent = parent();
    let first = parent.compose(AdiConfig::default()).unwrap();
    let pasid = first.pasid();
    assert!(parent.get(pasid).is_some());
    drop(first);
    assert!(parent.get(pasid).is_none());
    assert!(parent.list().is_empty());
    let next = parent.compose(AdiConfig::default()).unwrap();
    assert_ne!(next.pasid(), pasid);
    assert_eq!(parent.list().len(), 1);
    next.destroy(Hold::nobody());
    next.destroy(Hold::nobody());
    assert!(parent.list().is_empty());
    assert_eq!(next.report().state, AdiState::Destroyed);
}
