// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The driver's register accesses, made by guest code.

use super::super::Outcome;
use ims_virtio::machine::Board;
use ims_virtio_driver::Registers;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A board, and by which of its vCPUs the driver reaches the device now.
#[derive(Debug)]
pub(super) struct Wired {
    pub(super) board: Board,
    cpu: AtomicU32,
    made: AtomicU64,
    failed: OnceLock<String>,
}

impl Wired {
    pub(super) fn new(board: Board) -> Self {
        Self {
            board,
            cpu: AtomicU32::new(0),
            made: AtomicU64::new(0),
            failed: OnceLock::new(),
        }
    }

    /// From now on accesses are made by this vCPU.
    pub(super) fn be_on(&self, cpu: u32) {
        self.cpu.store(cpu, Ordering::Relaxed);
    }

    /// How many accesses the driver has made; handlers make others.
    pub(super) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// # Errors
    /// An access was not made.
    pub(super) fn check(&self) -> Outcome<()> {
        match self.failed.get() {
            Some(error) => Err(error.clone().into()),
            None => Ok(()),
        }
    }

    /// Makes an access at an address, if there is one.
    fn access(&self, address: Option<u64>, write: Option<u64>, bytes: u8) -> u64 {
        let cpu = self.cpu.load(Ordering::Relaxed);
        self.made.fetch_add(1, Ordering::Relaxed);
        let machine = self.board.machine();
        let address = address.ok_or_else(|| "no such BAR".to_owned());
        let done = address.and_then(|address| {
            let done = match write {
                Some(value) => machine.guest_write(cpu, address, value, bytes).map(|()| 0),
                None => machine.guest_read(cpu, address, bytes),
            };
            done.map_err(|error| error.to_string())
        });
        done.unwrap_or_else(|error| {
            self.failed.get_or_init(|| error);
            u64::MAX
        })
    }
}

/// What the driver has of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Access<'a>(pub(super) &'a Wired);

impl Registers for Access<'_> {
    fn read(&self, bar: u8, offset: u64, bytes: u8) -> u64 {
        self.0.access(self.0.board.bar(bar, offset), None, bytes)
    }

    fn write(&self, bar: u8, offset: u64, value: u64, bytes: u8) {
        let address = self.0.board.bar(bar, offset);
        self.0.access(address, Some(value), bytes);
    }

    fn read_config(&self, offset: u16) -> u32 {
        let address = self.0.board.configuration(offset);
        let read = self.0.access(Some(address), None, 4) & u64::from(u32::MAX);
        u32::try_from(read).unwrap_or(u32::MAX)
    }

    fn write_config(&self, offset: u16, value: u32) {
        let address = self.0.board.configuration(offset);
        self.0.access(Some(address), Some(value.into()), 4);
    }
}
