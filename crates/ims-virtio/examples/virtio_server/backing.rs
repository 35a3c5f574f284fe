// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The devices, and the host whose interrupts complete their queues.

use std::error::Error;

use ims::domain::Kind;
use ims::message::RequesterId;
use ims::store::{CookieUse, table::Table};
use ims_host::{Device, Form, Host};
use ims_virtio::BackingInterrupts;
use ims_virtio::block::{Block, BlockOptions, Disk};
use ims_virtio::entropy::Entropy;

use crate::arguments;

/// The backing device's requester id.
const REQUESTER: RequesterId = RequesterId(0x0100);
/// CPUs that complete queues.
const CPUS: u16 = 2;

/// A host, and a backing device with an IMS entry for each queue.
pub(crate) struct Backing {
    interrupts: BackingInterrupts,
    // As long as they are used.
    _device: Device,
    _host: Host,
}

impl Backing {
    /// With entries for `queues`.
    pub(crate) fn new(queues: u16) -> Result<Self, Box<dyn Error>> {
        let entries = u32::from(queues.max(1)).next_power_of_two();
        let host = Host::new();
        let unit = host.add_unit(entries.max(256), 8)?;
        let cpus = host.add_space(CPUS.into(), Form::Apic)?;
        let device = host.add_device(REQUESTER);
        let table = Table::new(entries, CookieUse::Opaque);
        let domain = device.add_domain(Kind::Ims, 0, &unit, table)?;
        Ok(Self {
            interrupts: BackingInterrupts::new(&host, domain, cpus, None),
            _device: device,
            _host: host,
        })
    }

    /// A block device on the file that was named.
    pub(crate) fn block(
        &self,
        block: &arguments::Block,
        arguments: &arguments::Arguments,
    ) -> Result<Block, Box<dyn Error>> {
        let disk = Disk::open(&block.file, block.read_only)?;
        let options = BlockOptions {
            queues: arguments.queues,
            workers: block.workers,
            read_only: block.read_only,
            ..BlockOptions::default()
        };
        Ok(Block::new(disk, self.interrupts.clone(), &options)?)
    }

    /// An entropy source.
    pub(crate) fn entropy(&self) -> Result<Entropy, Box<dyn Error>> {
        Ok(Entropy::new(self.interrupts.clone())?)
    }
}
