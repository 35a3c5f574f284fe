// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Each register's kind of access.

use super::*;
use crate::layout::registers::{
    DeviceState, GeneralCapabilities, GroupCapabilities, QueueCapabilities, TableOffsets,
};
use crate::layout::tables::queue;

#[test]
fn capabilities_say_what_the_parameters_do() {
    let driver = Driver::new();
    assert_eq!(driver.r32(reg::VERSION), 0x200);
    let general = GeneralCapabilities::from_bits(driver.r64(reg::GENCAP));
    assert_eq!(u32::from(general.ims_size()) * reg::IMS_UNIT, 2048);
    assert!(general.configurable() && general.command_capabilities());
    assert_eq!(general.event_log(), 1);
    assert_eq!(general.max_transfer_shift(), 31);
    assert_eq!(general.max_batch_shift(), 10);
    let queues = QueueCapabilities::from_bits(driver.r64(reg::WQCAP));
    assert_eq!((queues.queues(), queues.total_size()), (8, 128));
    assert_eq!(queues.config_size(), 1);
    assert!(queues.dedicated() && !queues.shared() && queues.occupancy());
    assert!(!queues.occupancy_interrupt());
    let groups = GroupCapabilities::from_bits(driver.r64(reg::GRPCAP));
    assert_eq!((groups.groups(), groups.read_buffers()), (4, 96));
    assert_eq!(driver.r64(reg::ENGCAP), 4);
    assert_eq!(
        driver.r64(reg::OPCAP),
        Parameters::default().operations.bits()
    );
    assert_eq!(driver.r64(reg::OPCAP + 8), 0);
    assert_eq!(driver.r32(reg::CMDCAP), 0x7ffe);
}

#[test]
fn tables_are_where_offsets_say() {
    let driver = Driver::new();
    let low = u128::from(driver.r64(reg::OFFSETS));
    let high = u128::from(driver.r64(reg::OFFSETS + 8));
    let offsets = TableOffsets::from_bits(low | high << 64);
    let place = |units: u16| u64::from(units) * reg::OFFSET_UNIT;
    assert_eq!(place(offsets.group_config()), map::GROUP_CONFIG);
    assert_eq!(place(offsets.queue_config()), map::QUEUE_CONFIG);
    assert_eq!(place(offsets.msix_permissions()), map::MSIX_PERMISSIONS);
    assert_eq!(place(offsets.ims()), map::IMS);
    assert_eq!(offsets.perfmon(), 0);
}

#[test]
fn capabilities_and_status_cannot_be_written() {
    let driver = Driver::new();
    for offset in (0..0x200).step_by(4) {
        let writable = [
            reg::GENCFG,
            reg::GENCTRL,
            reg::CMD,
            reg::EVLCFG,
            reg::EVLCFG + 4,
            reg::EVLCFG + 8,
            reg::EVLCFG + 12,
            reg::EVLSTATUS,
        ];
        if writable.contains(&offset) {
            continue;
        }
        let before = driver.r32(offset);
        driver.w32(offset, u32::MAX);
        driver.w32(offset, 0);
        assert_eq!(driver.r32(offset), before, "{offset:#x}");
    }
    assert_eq!(driver.world.misc(), 0);
}

#[test]
fn writable_registers_hold_the_bits_that_exist() {
    let driver = Driver::new();
    let hold = |offset, bits: u32| {
        driver.w32(offset, u32::MAX);
        assert_eq!(driver.r32(offset), bits, "{offset:#x}");
        driver.w32(offset, 0);
        assert_eq!(driver.r32(offset), 0, "{offset:#x}");
    };
    hold(reg::GENCFG, 0x20ff);
    hold(reg::GENCTRL, 7);
    hold(reg::EVLCFG, 0xffff_f003);
    hold(reg::EVLCFG + 4, u32::MAX);
    hold(reg::EVLCFG + 8, u32::MAX);
    hold(reg::EVLCFG + 12, 0xf);
    hold(reg::EVLSTATUS, 0xffff);
    hold(map::GROUP_CONFIG, 0xff);
    hold(map::GROUP_CONFIG + 4, 0);
    hold(map::GROUP_CONFIG + 32, 0xf);
    hold(map::GROUP_CONFIG + 40, 0x0ff0_ffbf);
    let queue = driver.queue_config(7);
    hold(queue + queue::SIZE, 0xffff);
    hold(queue + queue::THRESHOLD, 0xffff);
    hold(queue + queue::MODE, 0x3fff_fff3);
    hold(queue + queue::LIMITS, 0x1ff);
    hold(queue + queue::OCCUPANCY_INTERRUPT, 0);
    hold(queue + queue::OCCUPANCY_LIMIT, 0);
    hold(queue + queue::STATE, 0);
    let operations = Parameters::default().operations.bits();
    driver.w64(queue + queue::OPERATIONS, 0);
    assert_eq!(driver.r64(queue + queue::OPERATIONS), 0);
    driver.w64(queue + queue::OPERATIONS, u64::MAX);
    assert_eq!(driver.r64(queue + queue::OPERATIONS), operations);
}

#[test]
fn one_register_is_read_and_written_in_any_pieces() {
    let driver = Driver::new();
    driver.w32(reg::EVLCFG, 0x1234_5000);
    driver.w32(reg::EVLCFG + 4, 0x9abc_def0);
    assert_eq!(driver.r64(reg::EVLCFG), 0x9abc_def0_1234_5000);
    driver.front.write(reg::EVLCFG + 3, &[0x77, 0x88]);
    assert_eq!(driver.r64(reg::EVLCFG), 0x9abc_de88_7734_5000);
    let mut whole = [0; 64];
    driver.front.read(reg::OPCAP, &mut whole);
    for (at, byte) in whole.iter().enumerate() {
        let mut one = [0];
        driver.front.read(reg::OPCAP + at as u64, &mut one);
        assert_eq!(one[0], *byte);
    }
    let group: Vec<u8> = [1u64, 0, 0, 0, 3, 0x60 << 20, 0, 0]
        .into_iter()
        .flat_map(u64::to_le_bytes)
        .collect();
    driver.front.write(map::GROUP_CONFIG, &group);
    let mut back = [0; 64];
    driver.front.read(map::GROUP_CONFIG, &mut back);
    assert_eq!(back, *group);
}

#[test]
fn an_access_beyond_the_end_is_harmless() {
    let driver = Driver::new();
    let mut bytes = [1; 16];
    driver.front.read(u64::MAX - 7, &mut bytes);
    driver.front.write(u64::MAX - 5, &bytes);
    driver.front.store(u64::MAX - 5, &bytes);
    driver.front.store(1 << 40, &bytes);
    assert_eq!(bytes[8..], [0; 8]);
    assert_eq!(driver.device_state(), DeviceState::Disabled);
}

#[test]
fn a_part_of_a_command_is_none() {
    let driver = Driver::new();
    driver.front.write(reg::CMD + 2, &[0x10, 0x80]);
    assert_eq!(driver.status().into_bits(), 0);
    assert_eq!(driver.world.misc(), 0);
    assert_eq!(driver.r32(reg::CMD), 0);
    // Eight bytes hold a whole one.
    driver.w64(reg::CMD, 0xffff_ffff_8000_0000);
    assert_eq!(driver.finish(), Err(CommandError::InvalidCommand.code()));
}

#[test]
fn what_is_beside_registers_is_the_machines_by_words() {
    let driver = Driver::new();
    driver.w64(map::IMS, 0x1111_1111_2222_2222);
    driver.front.write(map::IMS + 5, &[0xab]);
    assert_eq!(driver.r64(map::IMS), 0x1111_ab11_2222_2222);
    let mut bytes = [0; 3];
    driver.front.read(map::IMS + 3, &mut bytes);
    assert_eq!(bytes, [0x22, 0x11, 0xab]);
    assert_eq!(driver.world.words.lock().unwrap().len(), 2);
}

#[test]
fn configuration_is_closed_while_enabled() {
    let driver = Driver::enabled(8);
    let before: Vec<u32> = snapshot(&driver);
    driver.w32(reg::GENCFG, 0x20ff);
    driver.w64(reg::EVLCFG, u64::MAX);
    for offset in (map::GROUP_CONFIG..map::GROUP_CONFIG + 0x100).step_by(4) {
        driver.w32(offset, u32::MAX);
    }
    for offset in (0..64).step_by(4) {
        driver.w32(map::QUEUE_CONFIG + offset, u32::MAX);
    }
    assert_eq!(snapshot(&driver), before);
    // Another queue is disabled, and all of it is open but its size.
    let other = driver.queue_config(1);
    driver.w32(other + queue::SIZE, 5);
    driver.w32(other + queue::THRESHOLD, 5);
    assert_eq!(driver.r64(other + queue::SIZE), 5 << 32);
}

fn snapshot(driver: &Driver) -> Vec<u32> {
    let registers = [reg::GENCFG, reg::EVLCFG, reg::EVLCFG + 4].into_iter();
    let groups = (map::GROUP_CONFIG..map::GROUP_CONFIG + 0x100).step_by(4);
    let queue = (map::QUEUE_CONFIG..map::QUEUE_CONFIG + 64).step_by(4);
    let all = registers.chain(groups).chain(queue);
    all.map(|offset| driver.r32(offset)).collect()
}

#[test]
fn causes_are_cleared_by_ones_and_only_new_ones_interrupt() {
    let driver = Driver::new();
    driver.front.handles_revoked();
    assert_eq!(driver.r32(reg::INTCAUSE), cause::HANDLES_REVOKED);
    assert_eq!(driver.world.misc(), 1);
    driver.front.handles_revoked();
    assert_eq!(driver.world.misc(), 1);
    // Another cause interrupts although one is still set.
    assert_eq!(driver.run(Command::DrainAll, 0), Err(0x32));
    assert_eq!(driver.world.misc(), 2);
    driver.w32(reg::INTCAUSE, cause::COMMAND);
    assert_eq!(driver.r32(reg::INTCAUSE), cause::HANDLES_REVOKED);
    driver.front.write(reg::INTCAUSE + 3, &[0x80]);
    assert_eq!(driver.r32(reg::INTCAUSE), 0);
    driver.front.handles_revoked();
    assert_eq!(driver.world.misc(), 3);
}

#[test]
fn a_narrow_queue_configuration_has_32_bytes() {
    let parameters = Parameters {
        wide_queue_config: false,
        ..Parameters::default()
    };
    let driver = Driver::with(parameters, Paged::new(1));
    driver.w32(map::QUEUE_CONFIG + 32 + queue::SIZE, 7);
    assert_eq!(driver.r32(map::QUEUE_CONFIG + 32), 7);
    assert_eq!(driver.r32(map::QUEUE_CONFIG + 64), 0);
    let queues = QueueCapabilities::from_bits(driver.r64(reg::WQCAP));
    assert!(queues.config_size() == 0 && !queues.operations());
}

#[test]
fn what_is_not_announced_is_not_there() {
    let parameters = Parameters {
        event_log: false,
        interrupt_handles: false,
        read_buffers: 0,
        ims_entries: 0,
        ..Parameters::default()
    };
    let driver = Driver::with(parameters, Paged::new(1));
    driver.w64(reg::EVLCFG, u64::MAX);
    driver.w64(reg::EVLSTATUS, u64::MAX);
    driver.w32(reg::GENCFG, u32::MAX);
    driver.w64(map::GROUP_CONFIG + tables::GROUP_FLAGS, u64::MAX);
    assert_eq!(driver.r64(reg::EVLCFG) | driver.r64(reg::EVLSTATUS), 0);
    assert_eq!(driver.r32(reg::GENCFG), 0);
    assert_eq!(driver.r64(map::GROUP_CONFIG + tables::GROUP_FLAGS), 0x3f);
    assert_eq!(driver.r32(reg::CMDCAP), 0x1ffe);
    assert_eq!(driver.r64(reg::OFFSETS) >> 48, 0);
}
