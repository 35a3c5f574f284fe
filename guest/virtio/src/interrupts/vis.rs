// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Messages, map and masks in memory that the device reads. Source: `docs/vis.md`.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, Ordering, fence};

use ims_virtio::layout::vis::{
    ALIGN, ALL, Command, MAP_BYTES, MASK, PENDING, header, message, register, state,
};

use super::{InterruptError, Plan, Refusal};
use crate::message::Message;
use crate::registers::{Registers, halves, low};
use crate::shared::Shared;

/// Gates are 64 bytes apart: CPUs that mask their own vectors share no line.
const SHIFT: u32 = 6;
/// How often memory is looked at before a register is read instead.
const LOOKS: u32 = 100_000;

/// Where the parts of an area are.
#[derive(Debug, Clone, Copy)]
struct Parts {
    map: u64,
    gates: u64,
    length: u64,
}

impl Parts {
    const fn of(vectors: u64, queues: u64) -> Self {
        let map = header::BYTES + vectors * message::BYTES;
        let gates = (map + queues * MAP_BYTES).next_multiple_of(1 << SHIFT);
        Self {
            map,
            gates,
            length: gates + (vectors << SHIFT),
        }
    }
}

/// Bytes of shared memory that VIS takes; they begin at a multiple of 64.
pub const fn area_bytes(vectors: u16, queues: u16) -> usize {
    // At most 6 MiB: 16 bits of each.
    #[allow(clippy::cast_possible_truncation, reason = "small")]
    let length = Parts::of(vectors as u64, queues as u64).length as usize;
    length
}

/// VIS of a device, enabled.
///
/// # Concurrency
/// [`Vis::mask`], [`Vis::unmask`] and [`Vis::take`] on any CPU, several at a time.
#[derive(Debug)]
pub struct Vis<R, S> {
    registers: R,
    area: S,
    parts: Parts,
    vectors: u32,
    queues: u32,
    asked: u32,
}

impl<R: Registers, S: Shared> Vis<R, S> {
    /// Four accesses, whatever the number of vectors.
    pub(crate) fn set_up(registers: R, area: S, plan: &Plan<'_>) -> Result<Self, Refusal> {
        let there = low(registers.read(0, register::VECTORS, 4));
        let vectors = plan.vectors();
        if vectors > there {
            return Err(Refusal::Vectors(there));
        }
        let queues = u32::try_from(plan.queues.len()).map_err(|_| Refusal::Area)?;
        let parts = Parts::of(u64::from(vectors), u64::from(queues));
        let long_enough = u64::try_from(area.len()).is_ok_and(|length| length >= parts.length);
        if !long_enough || !area.bus_address().is_multiple_of(ALIGN) {
            return Err(Refusal::Area);
        }
        let mut vis = Self {
            registers,
            area,
            parts,
            vectors,
            queues,
            asked: 0,
        };
        vis.fill(plan).ok_or(Refusal::Area)?;
        let [low, high] = halves(vis.area.bus_address());
        vis.write(register::ADDRESS_LOW, low);
        vis.write(register::ADDRESS_HIGH, high);
        if let Err(error) = vis.command(Command::Enable, 0) {
            if error == InterruptError::Silent {
                // Should it come yet: the area is not the device's.
                vis.write(register::COMMAND, Command::Disable.with(0));
            }
            return Err(Refusal::Refused(error));
        }
        Ok(vis)
    }

    /// Has a vector keep its interrupts. No access.
    ///
    /// # Errors
    /// [`InterruptError::Vector`].
    pub fn mask(&self, vector: u32) -> Result<(), InterruptError> {
        self.gate(vector)?.fetch_or(MASK.to_le(), Ordering::AcqRel);
        Ok(())
    }

    /// Has it send them, and what it kept. One access if it has kept one, else none.
    ///
    /// # Errors
    /// [`InterruptError::Vector`].
    pub fn unmask(&self, vector: u32) -> Result<(), InterruptError> {
        let before = self
            .gate(vector)?
            .fetch_and(!MASK.to_le(), Ordering::AcqRel);
        if before & PENDING.to_le() != 0 {
            self.write(register::COMMAND, Command::Resend.with(vector));
        }
        Ok(())
    }

    /// Whether it has kept an interrupt, which is the caller's then: what it is about
    /// was written before. No access.
    ///
    /// # Errors
    /// [`InterruptError::Vector`].
    pub fn take(&self, vector: u32) -> Result<bool, InterruptError> {
        let gate = self.gate(vector)?;
        let before = gate.fetch_and(!PENDING.to_le(), Ordering::AcqRel);
        Ok(before & PENDING.to_le() != 0)
    }

    /// Gives vectors other messages, all by one access. Those between them are read
    /// again, too, and stay as they are.
    ///
    /// # Errors
    /// [`InterruptError`].
    pub fn move_all(&mut self, moves: &[(u32, Message)]) -> Result<(), InterruptError> {
        let numbers = || moves.iter().map(|(vector, _)| *vector);
        let (Some(first), Some(last)) = (numbers().min(), numbers().max()) else {
            return Ok(());
        };
        if last >= self.vectors {
            return Err(InterruptError::Vector(last));
        }
        for (vector, message) in moves {
            self.write_message(*vector, *message)
                .ok_or(InterruptError::Vector(*vector))?;
        }
        if first == last {
            return self.command(Command::Update, first);
        }
        let range = [(header::FIRST, first), (header::COUNT, last - first + 1)];
        for (field, value) in range {
            self.put(field, value)
                .ok_or(InterruptError::Vector(first))?;
        }
        self.command(Command::UpdateRange, 0)
    }

    /// Sends a queue's interrupts to another vector. One access.
    ///
    /// # Errors
    /// [`InterruptError`].
    pub fn map(&mut self, queue: u32, vector: u32) -> Result<(), InterruptError> {
        if queue >= self.queues {
            return Err(InterruptError::Queue(queue));
        }
        if vector != super::NO_VECTOR && vector >= self.vectors {
            return Err(InterruptError::Vector(vector));
        }
        let entry = self.parts.map + u64::from(queue) * MAP_BYTES;
        self.put(entry, vector)
            .ok_or(InterruptError::Queue(queue))?;
        self.command(Command::Map, queue)
    }

    /// Sends changes of configuration to another vector, and queues where the map
    /// says now. One access.
    ///
    /// # Errors
    /// [`InterruptError`].
    pub fn map_config(&mut self, vector: u32) -> Result<(), InterruptError> {
        if vector != super::NO_VECTOR && vector >= self.vectors {
            return Err(InterruptError::Vector(vector));
        }
        self.put(header::CONFIG_VECTOR, vector)
            .ok_or(InterruptError::Vector(vector))?;
        self.command(Command::Map, ALL)
    }

    /// Back to the single interrupt; no message comes when it returns, and the area
    /// is the driver's.
    ///
    /// # Errors
    /// [`InterruptError`].
    pub fn disable(&mut self) -> Result<(), InterruptError> {
        self.command(Command::Disable, 0)
    }

    /// Writes the whole area, before the device knows of it.
    fn fill(&self, plan: &Plan<'_>) -> Option<()> {
        for offset in (0..header::BYTES).step_by(4) {
            self.put(offset, 0)?;
        }
        for (field, value) in [
            (header::VECTORS, self.vectors),
            (header::QUEUES, self.queues),
            (header::CONFIG_VECTOR, plan.config),
            (header::GATE_SHIFT, SHIFT),
            (header::MESSAGES, low(header::BYTES)),
            (header::MAP, low(self.parts.map)),
            (header::GATES, low(self.parts.gates)),
            (header::LENGTH, low(self.parts.length)),
        ] {
            self.put(field, value)?;
        }
        for (vector, message) in (0..).zip(plan.messages) {
            self.write_message(vector, *message)?;
            self.gate(vector).ok()?.store(0, Ordering::Relaxed);
        }
        for (queue, vector) in (0_u64..).zip(plan.queues) {
            self.put(self.parts.map + queue * MAP_BYTES, *vector)?;
        }
        Some(())
    }

    fn write_message(&self, vector: u32, message: Message) -> Option<()> {
        let entry = header::BYTES + u64::from(vector) * message::BYTES;
        let [low, high] = halves(message.address);
        self.put(entry + message::ADDRESS, low)?;
        self.put(entry + message::ADDRESS + 4, high)?;
        self.put(entry + message::DATA, message.data)?;
        self.put(entry + message::RESERVED, 0)
    }

    /// Writes a command and waits until it is done. One access; a second where the
    /// device's answer does not get into memory.
    fn command(&mut self, command: Command, argument: u32) -> Result<(), InterruptError> {
        self.asked = self.asked.wrapping_add(1);
        self.put(header::ASK, self.asked)
            .ok_or(InterruptError::Silent)?;
        // What the device is to read is written before it is told.
        fence(Ordering::SeqCst);
        self.write(register::COMMAND, command.with(argument));
        for _ in 0..LOOKS {
            let done = self.get(header::DONE, Ordering::Acquire);
            if done == Some(self.asked) {
                return self.answer();
            }
            spin_loop();
        }
        let state = low(self.registers.read(0, register::STATE, 4));
        let error = state >> state::ERROR_SHIFT & 0xff;
        let enabled = state & state::ENABLED != 0;
        let wanted = command != Command::Disable;
        match error {
            0 if enabled == wanted => Ok(()),
            0 => Err(InterruptError::Silent),
            error => Err(InterruptError::Answered { error, index: 0 }),
        }
    }

    /// What the device wrote about the last command.
    fn answer(&self) -> Result<(), InterruptError> {
        let get = |field| self.get(field, Ordering::Relaxed);
        match (get(header::ERROR), get(header::ERROR_INDEX)) {
            (Some(0), _) => Ok(()),
            (Some(error), Some(index)) => Err(InterruptError::Answered { error, index }),
            _ => Err(InterruptError::Silent),
        }
    }

    fn gate(&self, vector: u32) -> Result<&AtomicU32, InterruptError> {
        let there = vector < self.vectors;
        let offset = self.parts.gates + (u64::from(vector) << SHIFT);
        there
            .then(|| self.word(offset))
            .flatten()
            .ok_or(InterruptError::Vector(vector))
    }

    fn word(&self, offset: u64) -> Option<&AtomicU32> {
        self.area.word32(usize::try_from(offset).ok()?)
    }

    fn put(&self, offset: u64, value: u32) -> Option<()> {
        self.word(offset)?.store(value.to_le(), Ordering::Relaxed);
        Some(())
    }

    fn get(&self, offset: u64, ordering: Ordering) -> Option<u32> {
        Some(u32::from_le(self.word(offset)?.load(ordering)))
    }

    fn write(&self, offset: u64, value: u32) {
        self.registers.write(0, offset, u64::from(value), 4);
    }
}
