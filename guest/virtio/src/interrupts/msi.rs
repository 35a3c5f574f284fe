// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Messages kept in registers of virtio-mmio, as proposed in 2020.

use ims_virtio::layout::mmio;
use ims_virtio::layout::msi::{ADDRESS_HIGH, ADDRESS_LOW, Command, DATA, Layout, VECTOR_SEL};

use super::{InterruptError, Plan, Refusal};
use crate::message::Message;
use crate::registers::{Registers, halves, low};

/// A register whose value stays, and is not written when it would not change.
#[derive(Debug, Clone, Copy)]
struct Latch {
    offset: u64,
    value: Option<u32>,
}

impl Latch {
    const fn at(offset: u64) -> Self {
        let value = None;
        Self { offset, value }
    }

    fn set(&mut self, registers: &impl Registers, value: u32) {
        if self.value.replace(value) != Some(value) {
            registers.write(0, self.offset, u64::from(value), 4);
        }
    }
}

/// MSI of a device, enabled.
#[derive(Debug)]
pub struct Msi<R> {
    registers: R,
    layout: Layout,
    vectors: u32,
    select: Latch,
    low: Latch,
    high: Latch,
    data: Latch,
}

impl<R: Registers> Msi<R> {
    pub(crate) fn set_up(registers: R, layout: Layout, plan: &Plan<'_>) -> Result<Self, Refusal> {
        let mut msi = Self {
            registers,
            layout,
            vectors: plan.vectors(),
            select: Latch::at(VECTOR_SEL),
            low: Latch::at(ADDRESS_LOW),
            high: Latch::at(ADDRESS_HIGH),
            data: Latch::at(DATA),
        };
        let there = low(msi.registers.read(0, layout.vectors, 4));
        if msi.vectors > there {
            return Err(Refusal::Vectors(there));
        }
        let sharing = msi.state() & layout.sharing != 0;
        if !sharing && !plan.is_fixed() {
            return Err(Refusal::FixedMap);
        }
        for (vector, message) in (0..).zip(plan.messages) {
            msi.configure(vector, *message);
            if sharing {
                msi.map(vector, plan);
            }
        }
        if sharing {
            // Events without a vector are told so: a device may begin with another.
            msi.map(super::NO_VECTOR, plan);
        }
        msi.command(Command::Enable);
        if msi.state() & layout.enabled == 0 {
            msi.command(Command::Disable);
            return Err(Refusal::NotEnabled);
        }
        Ok(msi)
    }

    /// Keeps a vector's interrupts.
    pub(super) fn mask(&mut self, vector: u32) -> Result<(), InterruptError> {
        self.select(vector)?;
        self.command(Command::Mask);
        Ok(())
    }

    /// Sends them.
    pub(super) fn unmask(&mut self, vector: u32) -> Result<(), InterruptError> {
        self.select(vector)?;
        self.command(Command::Unmask);
        Ok(())
    }

    /// Gives it another message, at once: the device takes it whole at the command.
    pub(super) fn move_to(&mut self, vector: u32, message: Message) -> Result<(), InterruptError> {
        self.select(vector)?;
        self.configure(vector, message);
        Ok(())
    }

    /// Back to the single interrupt.
    pub(super) fn disable(&mut self) -> Result<(), InterruptError> {
        self.command(Command::Disable);
        if self.state() & self.layout.enabled != 0 {
            return Err(InterruptError::NotDisabled);
        }
        Ok(())
    }

    fn select(&mut self, vector: u32) -> Result<(), InterruptError> {
        if vector >= self.vectors {
            return Err(InterruptError::Vector(vector));
        }
        self.select.set(&self.registers, vector);
        Ok(())
    }

    fn configure(&mut self, vector: u32, message: Message) {
        let [low, high] = halves(message.address);
        self.select.set(&self.registers, vector);
        self.low.set(&self.registers, low);
        self.high.set(&self.registers, high);
        self.data.set(&self.registers, message.data);
        self.command(Command::Configure);
    }

    /// Sends to `vector` all that the plan has there.
    fn map(&mut self, vector: u32, plan: &Plan<'_>) {
        if plan.config == vector {
            self.select.set(&self.registers, vector);
            self.command(Command::MapConfig);
        }
        for (queue, to) in (0_u64..).zip(plan.queues) {
            if *to == vector {
                self.select.set(&self.registers, vector);
                self.registers.write(0, mmio::QUEUE_SEL, queue, 4);
                self.command(Command::MapQueue);
            }
        }
    }

    fn state(&self) -> u32 {
        low(self.registers.read(0, self.layout.state, 4))
    }

    fn command(&self, command: Command) {
        let value = u64::from(command as u32);
        self.registers.write(0, self.layout.command, value, 4);
    }
}
