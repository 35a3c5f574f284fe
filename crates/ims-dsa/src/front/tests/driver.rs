// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a driver does with registers.

use super::*;
use crate::layout::Descriptor;
use crate::layout::command::{CommandRegister, CommandStatus};
use crate::layout::portal::{PORTAL_SIZE, QUEUE_PORTALS_SIZE};
use crate::layout::registers::DeviceState;
use crate::layout::tables::{
    GROUP_CONFIG_SIZE, GROUP_ENGINES, QueueLimitsWord, QueueModeWord, queue,
};

pub(super) struct Driver {
    pub(super) world: Arc<World>,
    pub(super) front: Arc<Front>,
}

impl Driver {
    /// A configurable device with four pages of memory.
    pub(super) fn new() -> Self {
        Self::with(Parameters::default(), Paged::new(16))
    }

    pub(super) fn with(parameters: Parameters, memory: Paged) -> Self {
        let world = World::new(memory);
        let front = Front::new(parameters, Arc::clone(&world) as _, None).unwrap();
        Self { world, front }
    }

    pub(super) fn r32(&self, offset: u64) -> u32 {
        let mut bytes = [0; 4];
        self.front.read(offset, &mut bytes);
        u32::from_le_bytes(bytes)
    }

    pub(super) fn r64(&self, offset: u64) -> u64 {
        let mut bytes = [0; 8];
        self.front.read(offset, &mut bytes);
        u64::from_le_bytes(bytes)
    }

    pub(super) fn w32(&self, offset: u64, value: u32) {
        self.front.write(offset, &value.to_le_bytes());
    }

    pub(super) fn w64(&self, offset: u64, value: u64) {
        self.front.write(offset, &value.to_le_bytes());
    }

    pub(super) fn status(&self) -> CommandStatus {
        CommandStatus::from_bits(self.r32(reg::CMDSTATUS))
    }

    /// Writes a command that interrupts.
    pub(super) fn begin(&self, command: Command, operand: u32) {
        let register = CommandRegister::new()
            .with_command(command as u8)
            .with_operand(operand)
            .with_interrupt(true);
        self.w32(reg::INTCAUSE, cause::COMMAND);
        self.w32(reg::CMD, register.into_bits());
    }

    /// Waits for a command's interrupt: it has ended then.
    pub(super) fn finish(&self) -> Result<u16, u8> {
        loop {
            let seen = self.world.misc();
            let status = self.status();
            if !status.active() {
                assert_ne!(self.r32(reg::INTCAUSE) & cause::COMMAND, 0);
                return if status.error() == 0 {
                    Ok(status.result())
                } else {
                    Err(status.error())
                };
            }
            self.world.wait_beyond(seen);
        }
    }

    pub(super) fn run(&self, command: Command, operand: u32) -> Result<u16, u8> {
        self.begin(command, operand);
        self.finish()
    }

    pub(super) fn device_state(&self) -> DeviceState {
        self.front.status().device
    }

    /// Puts queue `number` of `size` entries and engine `number` into group `number`.
    pub(super) fn configure(&self, number: u8, size: u16) {
        let group = map::GROUP_CONFIG + u64::from(number) * GROUP_CONFIG_SIZE;
        self.w64(group, 1 << number);
        self.w64(group + GROUP_ENGINES, 1 << number);
        self.configure_queue(number, size, QueueModeWord::new().with_dedicated(true));
    }

    /// Writes a queue's registers, with priority 1.
    pub(super) fn configure_queue(&self, number: u8, size: u16, mode: QueueModeWord) {
        let at = self.queue_config(number);
        self.w32(at + queue::SIZE, size.into());
        self.w32(at + queue::THRESHOLD, size.into());
        let mode = if mode.priority() == 0 {
            mode.with_priority(1)
        } else {
            mode
        };
        self.w32(at + queue::MODE, mode.into_bits());
        let limits = QueueLimitsWord::new()
            .with_max_transfer_shift(21)
            .with_max_batch_shift(5);
        self.w32(at + queue::LIMITS, limits.into_bits());
    }

    pub(super) fn queue_config(&self, number: u8) -> u64 {
        map::QUEUE_CONFIG + u64::from(number) * self.front.parameters().queue_config_size()
    }

    /// The queue's state bits in WQCFG.
    pub(super) fn queue_is_enabled(&self, number: u8) -> bool {
        self.r32(self.queue_config(number) + queue::STATE) >> 30 == 1
    }

    /// One queue of `size` entries, enabled.
    pub(super) fn enabled(size: u16) -> Self {
        Self::enabled_with(Parameters::default(), Paged::new(16), size)
    }

    pub(super) fn enabled_with(parameters: Parameters, memory: Paged, size: u16) -> Self {
        let driver = Self::with(parameters, memory);
        driver.configure(0, size);
        driver.enable();
        driver
    }

    pub(super) fn enable(&self) {
        assert_eq!(self.run(Command::EnableDevice, 0), Ok(0));
        assert_eq!(self.run(Command::EnableQueue, 0), Ok(0));
    }

    /// Stores a descriptor to the limited MSI-X portal of `queue`.
    pub(super) fn submit(&self, queue: u8, descriptor: &Descriptor) {
        self.store(queue, 1, 0, descriptor);
    }

    pub(super) fn store(&self, queue: u8, page: u64, slot: u64, descriptor: &Descriptor) {
        let at = u64::from(queue) * QUEUE_PORTALS_SIZE + page * PORTAL_SIZE + slot * 64;
        self.front.store(at, &bytes(descriptor));
    }

    pub(super) fn drain(&self) {
        assert_eq!(self.run(Command::DrainAll, 0), Ok(0));
    }
}

pub(super) fn bytes(descriptor: &Descriptor) -> [u8; 64] {
    zerocopy::IntoBytes::as_bytes(descriptor)
        .try_into()
        .unwrap()
}
