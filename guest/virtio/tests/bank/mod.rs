// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Registers that keep what is written and tell who accessed them.

use std::collections::HashMap;
use std::sync::Mutex;

use ims_virtio_driver::Registers;

/// One access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read(u64, u8),
    Write(u64, u64, u8),
    ReadConfig(u16),
    WriteConfig(u16, u32),
}

type Reaction = Box<dyn Fn(&Bank, u64, u64) + Send + Sync>;

/// A bank of registers.
#[derive(Default)]
pub struct Bank {
    log: Mutex<Vec<Access>>,
    values: Mutex<HashMap<u64, u64>>,
    config: Mutex<HashMap<u16, u32>>,
    reaction: Option<Reaction>,
}

impl Bank {
    pub fn new(values: &[(u64, u64)]) -> Self {
        Self {
            values: Mutex::new(values.iter().copied().collect()),
            ..Self::default()
        }
    }

    pub fn with_config(self, config: &[(u16, u32)]) -> Self {
        let config = Mutex::new(config.iter().copied().collect());
        Self { config, ..self }
    }

    /// What the device does when it is written.
    pub fn reacting(self, to: impl Fn(&Self, u64, u64) + Send + Sync + 'static) -> Self {
        let reaction: Option<Reaction> = Some(Box::new(to));
        Self { reaction, ..self }
    }

    pub fn set(&self, offset: u64, value: u64) {
        self.values.lock().unwrap().insert(offset, value);
    }

    pub fn get(&self, offset: u64) -> u64 {
        let values = self.values.lock().unwrap();
        values.get(&offset).copied().unwrap_or(0)
    }

    /// The accesses since this was last asked.
    pub fn accesses(&self) -> Vec<Access> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

impl Registers for Bank {
    fn read(&self, _bar: u8, offset: u64, bytes: u8) -> u64 {
        self.log.lock().unwrap().push(Access::Read(offset, bytes));
        self.get(offset)
    }

    fn write(&self, _bar: u8, offset: u64, value: u64, bytes: u8) {
        let access = Access::Write(offset, value, bytes);
        self.log.lock().unwrap().push(access);
        self.set(offset, value);
        if let Some(reaction) = &self.reaction {
            reaction(self, offset, value);
        }
    }

    fn read_config(&self, offset: u16) -> u32 {
        self.log.lock().unwrap().push(Access::ReadConfig(offset));
        let config = self.config.lock().unwrap();
        config.get(&offset).copied().unwrap_or(0)
    }

    fn write_config(&self, offset: u16, value: u32) {
        let access = Access::WriteConfig(offset, value);
        self.log.lock().unwrap().push(access);
        self.config.lock().unwrap().insert(offset, value);
    }
}
