// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device under this driver: reset, looked at, and given memory.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use ims_dsa::layout::command::Command;
use ims_dsa::layout::event::ErrorWord;
use ims_dsa::layout::registers::{
    ENGCAP, GENCAP, GENCTRL, GENSTS, GRPCAP, GeneralCapabilities, GeneralControl,
    GroupCapabilities, INTCAUSE, OFFSETS, OPCAP, QueueCapabilities, SWERROR, TableOffsets, VERSION,
    WQCAP,
};
use ims_dsa::layout::{Completion, Descriptor, Status};

use crate::arena::Arena;
use crate::error::DriverError;
use crate::link::Link;
use crate::restart;
use crate::vectors::Vectors;

/// The BAR of registers.
pub(crate) const REGISTERS: u32 = 0;
/// The BAR of portals.
pub(crate) const PORTALS: u32 = 2;

/// How long a descriptor may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Looks at a record between two at the connection, which is a system call.
const LOOKS: u32 = 256;

/// What a device announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// VERSION.
    pub version: u32,
    /// GENCAP.
    pub general: GeneralCapabilities,
    /// WQCAP.
    pub queues: QueueCapabilities,
    /// GRPCAP.
    pub groups: GroupCapabilities,
    /// Engines.
    pub engines: u8,
    /// OPCAP.
    pub operations: [u64; 4],
    /// OFFSETS.
    pub offsets: TableOffsets,
}

/// A device under this driver.
#[derive(Debug)]
pub struct Driver {
    pub(crate) link: Link,
    pub(crate) vectors: Vectors,
    pub(crate) facts: Facts,
    pub(crate) slot: u64,
    /// Where PCI Express device control is in config space, once it was looked for.
    pub(crate) device_control: Option<u64>,
    /// The device's memory.
    pub arena: Arena,
}

impl Driver {
    /// Connects to the device at `path`, gives it `memory` bytes, turns it on, resets
    /// it, reads what it announces and asks for `vectors` MSI-X vectors.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn open(path: &Path, memory: u64, vectors: u16) -> Result<Self, DriverError> {
        Self::on(Link::connect(path)?, memory, vectors)
    }

    /// The same on a connection.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn on(mut link: Link, memory: u64, vectors: u16) -> Result<Self, DriverError> {
        let arena = Arena::new(memory)?;
        link.map(arena.base(), arena.size(), arena.file(), 0)?;
        restart::turn_on(&mut link)?;
        let facts = Facts {
            version: 0,
            general: GeneralCapabilities::new(),
            queues: QueueCapabilities::new(),
            groups: GroupCapabilities::new(),
            engines: 0,
            operations: [0; 4],
            offsets: TableOffsets::new(),
        };
        let mut driver = Self {
            link,
            vectors: Vectors::default(),
            facts,
            slot: 0,
            device_control: None,
            arena,
        };
        driver.command(Command::ResetDevice, 0)?;
        driver.facts = driver.look()?;
        if vectors > 0 {
            driver.vectors = Vectors::enable(&mut driver.link, vectors)?;
            driver.interrupt_at_errors()?;
        }
        Ok(driver)
    }

    /// Has errors and halts interrupt, which a reset takes back.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn interrupt_at_errors(&mut self) -> Result<(), DriverError> {
        let errors = GeneralControl::new()
            .with_software_error_interrupt(true)
            .with_halt_interrupt(true);
        self.write32(GENCTRL, errors.into())
    }

    fn look(&mut self) -> Result<Facts, DriverError> {
        let mut operations = [0; 4];
        for (word, at) in operations.iter_mut().zip((OPCAP..).step_by(8)) {
            *word = self.read64(at)?;
        }
        let low = self.read64(OFFSETS)?;
        let high = self.read64(OFFSETS + 8)?;
        let [engines, ..] = self.read64(ENGCAP)?.to_le_bytes();
        Ok(Facts {
            version: self.read32(VERSION)?,
            general: self.read64(GENCAP)?.into(),
            queues: self.read64(WQCAP)?.into(),
            groups: self.read64(GRPCAP)?.into(),
            engines,
            operations,
            offsets: (u128::from(high) << 64 | u128::from(low)).into(),
        })
    }

    /// What the device announces.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Its vectors.
    pub fn vectors(&self) -> &Vectors {
        &self.vectors
    }

    /// The connection.
    pub fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    /// Enables the device.
    ///
    /// # Errors
    /// [`DriverError::Command`].
    pub fn enable(&mut self) -> Result<(), DriverError> {
        self.command(Command::EnableDevice, 0)?;
        Ok(())
    }

    /// GENSTS.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn state(&mut self) -> Result<u32, DriverError> {
        self.read32(GENSTS)
    }

    /// SWERROR's first quadword.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn software_error(&mut self) -> Result<u64, DriverError> {
        self.read64(SWERROR)
    }

    /// Takes SWERROR back, so that it can hold the next error.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn clear_software_error(&mut self) -> Result<(), DriverError> {
        let taken = ErrorWord::new().with_valid(true).with_overflow(true);
        self.write64(SWERROR, taken.into())
    }

    /// Why the miscellaneous interrupt was raised (INTCAUSE); each cause is taken
    /// back, so that it can interrupt again.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn take_causes(&mut self) -> Result<u32, DriverError> {
        let causes = self.read32(INTCAUSE)?;
        if causes != 0 {
            self.write32(INTCAUSE, causes)?;
        }
        Ok(causes)
    }

    /// Waits for a completion record; what it says.
    ///
    /// # Errors
    /// [`DriverError::Late`], [`DriverError::Memory`]; [`DriverError::HungUp`] if
    /// the device went away with the descriptor.
    pub fn wait(&self, record: u64) -> Result<Completion, DriverError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            for _ in 0..LOOKS {
                if let Some(completion) = self.arena.completion(record)? {
                    return Ok(completion);
                }
                thread::yield_now();
            }
            if self.link.is_hung_up()? {
                return Err(DriverError::HungUp);
            }
            if Instant::now() > deadline {
                return Err(DriverError::Late("complete a descriptor"));
            }
        }
    }

    /// Submits a descriptor whose record is at its completion address, and waits for
    /// success.
    ///
    /// # Errors
    /// [`DriverError::Status`] if it ended otherwise.
    pub fn run(&mut self, queue: u8, descriptor: &Descriptor) -> Result<Completion, DriverError> {
        let record = descriptor.completion.get();
        self.arena.clear(record)?;
        self.submit(queue, false, descriptor)?;
        let completion = self.wait(record)?;
        if completion.status == Status::Success.code() {
            Ok(completion)
        } else {
            Err(DriverError::Status(completion.status))
        }
    }

    /// Reads a register of 32 bits.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn read32(&mut self, offset: u64) -> Result<u32, DriverError> {
        let mut bytes = [0; 4];
        self.link.read(REGISTERS, offset, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Reads a register of 64 bits.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn read64(&mut self, offset: u64) -> Result<u64, DriverError> {
        let mut bytes = [0; 8];
        self.link.read(REGISTERS, offset, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Writes a register of 32 bits.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn write32(&mut self, offset: u64, value: u32) -> Result<(), DriverError> {
        self.link.write(REGISTERS, offset, &value.to_le_bytes())
    }

    /// Writes a register of 64 bits.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn write64(&mut self, offset: u64, value: u64) -> Result<(), DriverError> {
        self.link.write(REGISTERS, offset, &value.to_le_bytes())
    }
}
