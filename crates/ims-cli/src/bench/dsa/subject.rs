// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The device that is measured, with its driver.

use super::super::Outcome;
use ims_dsa::adi::{AdiConfig, Parent, ParentConfig};
use ims_dsa::layout::{Descriptor, Flags, Opcode, Status};
use ims_dsa_driver::{Driver, Link};
use ims_vfio_user::{Limits, Server};
use std::os::unix::net::UnixStream;
use zerocopy::little_endian::U64;

/// The most that is under way at a time.
pub(super) const WINDOW: usize = 32;

/// Memory for the largest copies, source and destination, and all the rest.
const MEMORY: u64 = 64 << 20;

/// A virtual device with one interrupt of its parent's store, and its driver.
pub(super) struct Subject {
    pub(super) driver: Driver,
    /// Completion records, one for each place of the window.
    records: u64,
    /// The handle of vector 1.
    pub(super) handle: u16,
    _server: Server,
    _parent: Parent,
}

impl Subject {
    /// # Errors
    /// What the device, the server or the driver says.
    pub(super) fn new() -> Outcome<Self> {
        // One engine: on the machine's other CPU.
        let parent = Parent::new(ParentConfig {
            engines: 1,
            ims_entries: 256,
            ..ParentConfig::default()
        })?;
        let device = parent.compose(AdiConfig::default())?;
        let server = Server::start(Limits::default())?;
        let (socket, peer) = UnixStream::pair()?;
        server.adopt(peer.into(), device);
        let mut driver = Driver::on(Link::on(socket)?, MEMORY, 2)?;
        driver.enable()?;
        driver.enable_queue(0)?;
        let handle = driver.request_handle(1, false)?;
        let records = driver.arena.take(32 * WINDOW, 32)?.address;
        Ok(Self {
            driver,
            records,
            handle,
            _server: server,
            _parent: parent,
        })
    }

    /// The record of a place.
    pub(super) fn record(&self, place: usize) -> u64 {
        self.records + 32 * place as u64
    }

    /// A descriptor with a record at `place`.
    pub(super) fn descriptor(&self, opcode: Opcode, place: usize, flags: Flags) -> Descriptor {
        let flags = flags | Flags::RECORD_VALID | Flags::REQUEST_RECORD;
        Descriptor {
            completion: U64::new(self.record(place)),
            ..Descriptor::new(opcode, flags)
        }
    }

    /// Submits these, each with a record of its own.
    ///
    /// # Errors
    /// What the driver says.
    pub(super) fn submit(&mut self, descriptors: &[Descriptor]) -> Outcome<()> {
        for descriptor in descriptors {
            self.driver.arena.clear(descriptor.completion.get())?;
            self.driver.submit(0, false, descriptor)?;
        }
        Ok(())
    }

    /// Waits for the records of these.
    ///
    /// # Errors
    /// If one did not succeed.
    pub(super) fn wait(&self, descriptors: &[Descriptor]) -> Outcome<()> {
        for descriptor in descriptors {
            let completion = self.driver.wait(descriptor.completion.get())?;
            if completion.status != Status::Success.code() {
                return Err(format!("a descriptor ended with {:#x}", completion.status).into());
            }
        }
        Ok(())
    }
}
