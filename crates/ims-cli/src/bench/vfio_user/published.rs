// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The server of the published crate `vfio_user`, with as small a device.

use super::device::{BAR, VECTORS};
use ims_vfio::layout::{irq, irq_info, region, region_info};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use vfio_bindings::bindings::vfio::vfio_region_info;
use vfio_user::{DmaMapFlags, DmaUnmapFlags, IrqInfo, Server, ServerBackend, ServerRegion};

/// What rows call it.
pub(super) const NAME: &str = "crate vfio_user";

/// The server on a listener; each runs for one client.
pub(super) fn server(listener: OwnedFd) -> Server {
    let irqs = (0..irq::COUNT).map(|index| IrqInfo {
        index,
        flags: irq_info::EVENTFD,
        count: if index == irq::MSIX {
            VECTORS.into()
        } else {
            0
        },
    });
    let regions = (0..region::COUNT).map(|index| ServerRegion {
        region_info: vfio_region_info {
            flags: region_info::READ | region_info::WRITE,
            index,
            size: BAR,
            ..Default::default()
        },
        sparse_areas: Vec::new(),
        mmap_fd: None,
    });
    Server::from_owned_fd(listener, true, irqs.collect(), regions.collect())
}

/// One register, and the triggers a client has set.
#[derive(Debug, Default)]
pub(super) struct Backend {
    register: [u8; 4],
    triggers: Vec<Option<File>>,
}

impl ServerBackend for Backend {
    fn region_read(&mut self, _: u32, _: u64, data: &mut [u8]) -> io::Result<()> {
        for (to, from) in data.iter_mut().zip(self.register) {
            *to = from;
        }
        Ok(())
    }

    fn region_write(&mut self, _: u32, _: u64, data: &[u8]) -> io::Result<()> {
        for (to, from) in self.register.iter_mut().zip(data) {
            *to = *from;
        }
        Ok(())
    }

    fn dma_map(
        &mut self,
        _: DmaMapFlags,
        _: u64,
        _: u64,
        _: u64,
        _: Option<File>,
    ) -> io::Result<()> {
        Ok(())
    }

    fn dma_unmap(&mut self, _: DmaUnmapFlags, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn reset(&mut self) -> io::Result<()> {
        self.triggers.clear();
        Ok(())
    }

    fn set_irqs(&mut self, _: u32, _: u32, start: u32, _: u32, fds: Vec<File>) -> io::Result<()> {
        let outside = || io::Error::from(io::ErrorKind::InvalidInput);
        let start = usize::try_from(start).map_err(|_| outside())?;
        self.triggers.resize_with(VECTORS.into(), || None);
        let places = self.triggers.get_mut(start..).ok_or_else(outside)?;
        for (place, trigger) in places.iter_mut().zip(fds) {
            *place = Some(trigger);
        }
        Ok(())
    }
}
