// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the device, its regions and its interrupts are.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use ims_vfio::layout::region_info;
use ims_vfio::{IoFdKind, Region};
use rustix::io::Errno;
use zerocopy::IntoBytes;

use super::{Client, Closing};
use crate::layout::{
    DeviceInfo, Header, IoFdEntry, IoFds, IrqInfo, RegionInfo, SparseArea, SparseMmap, io_fd,
};
use crate::replies::Replies;

impl Client {
    pub(super) fn device_info(&self, replies: &mut Replies, header: &Header) {
        let info = self.endpoint.info();
        let info = DeviceInfo {
            argsz: size_as_u32(size_of::<DeviceInfo>()),
            flags: info.flags,
            regions: info.regions,
            irqs: info.irqs,
        };
        replies.put(header, &[info.as_bytes()]);
    }

    pub(super) fn irq_info(&self, replies: &mut Replies, header: &Header, asked: IrqInfo) {
        let Some(info) = self.endpoint.function().irqs.info(asked.index) else {
            return replies.refuse(header, Errno::INVAL);
        };
        let info = IrqInfo {
            argsz: size_as_u32(size_of::<IrqInfo>()),
            flags: info.flags,
            index: asked.index,
            count: info.count,
        };
        replies.put(header, &[info.as_bytes()]);
    }

    pub(super) fn region_info(
        &self,
        replies: &mut Replies,
        header: &Header,
        asked: RegionInfo,
    ) -> Result<(), Closing> {
        let Some(region) = self.endpoint.region(asked.index) else {
            replies.refuse(header, Errno::INVAL);
            return Ok(());
        };
        let (info, capabilities) = region_info(&region, asked);
        let parts = [info.as_bytes(), &capabilities];
        match region.shared {
            Some(shared) => {
                replies.send_with(&self.outbox, header, &parts, &[shared.file])?;
            }
            None => replies.put(header, &parts),
        }
        Ok(())
    }

    pub(super) fn io_fds(
        &self,
        replies: &mut Replies,
        header: &Header,
        asked: IoFds,
    ) -> Result<(), Closing> {
        if self.endpoint.region(asked.index).is_none() {
            replies.refuse(header, Errno::INVAL);
            return Ok(());
        }
        let offered = self.endpoint.io_fds(asked.index);
        let mut files: Vec<Arc<OwnedFd>> = Vec::new();
        let mut entries = Vec::with_capacity(offered.len());
        for offer in &offered {
            let same = |file: &Arc<OwnedFd>| Arc::ptr_eq(file, &offer.file);
            let fd_index = files.iter().position(same).unwrap_or_else(|| {
                files.push(Arc::clone(&offer.file));
                files.len() - 1
            });
            let (kind, flags, data) = match offer.kind {
                IoFdKind::Eventfd { datamatch } => {
                    let flags = datamatch.map_or(0, |_| io_fd::DATAMATCH);
                    (io_fd::IOEVENTFD, flags, datamatch.unwrap_or(0))
                }
                IoFdKind::IoRegion { user_data, posted } => {
                    let flags = if posted { io_fd::POSTED_WRITES } else { 0 };
                    (io_fd::IOREGIONFD, flags, user_data)
                }
            };
            entries.push(IoFdEntry {
                offset: offer.offset,
                size: offer.size,
                fd_index: size_as_u32(fd_index),
                kind,
                flags,
                reserved: 0,
                data,
            });
        }
        let needed = size_of::<IoFds>().saturating_add(size_of_val(&entries[..]));
        let answer = IoFds {
            argsz: size_as_u32(needed),
            flags: 0,
            index: asked.index,
            count: size_as_u32(entries.len()),
        };
        let fds = self.agreed.as_ref().map_or(0, |agreed| agreed.msg_fds);
        if asked.argsz < answer.argsz {
            // The client asks again, with as much room as this says.
            replies.put(header, &[answer.as_bytes()]);
        } else if files.len() > usize::try_from(fds).unwrap_or(usize::MAX) {
            replies.refuse(header, Errno::NOSPC);
        } else {
            let parts = [answer.as_bytes(), entries.as_slice().as_bytes()];
            replies.send_with(&self.outbox, header, &parts, &files)?;
        }
        Ok(())
    }
}

/// What a region is, and the capabilities that follow if there is room for them.
fn region_info(region: &Region, asked: RegionInfo) -> (RegionInfo, Vec<u8>) {
    let mut info = RegionInfo {
        argsz: size_as_u32(size_of::<RegionInfo>()),
        flags: 0,
        index: asked.index,
        cap_offset: 0,
        size: region.size,
        offset: 0,
    };
    if region.readable {
        info.flags |= region_info::READ;
    }
    if region.writable {
        info.flags |= region_info::WRITE;
    }
    let Some(shared) = &region.shared else {
        return (info, Vec::new());
    };
    info.flags |= region_info::MMAP;
    info.offset = shared.offset;
    if shared.areas.is_empty() {
        return (info, Vec::new());
    }
    info.flags |= region_info::CAPS;
    let mut capabilities = SparseMmap {
        id: region_info::CAP_SPARSE_MMAP,
        version: 1,
        next: 0,
        areas: size_as_u32(shared.areas.len()),
        reserved: 0,
    }
    .as_bytes()
    .to_vec();
    for area in &shared.areas {
        let area = SparseArea {
            offset: area.offset,
            size: area.size,
        };
        capabilities.extend_from_slice(area.as_bytes());
    }
    info.argsz = size_as_u32(size_of::<RegionInfo>() + capabilities.len());
    if asked.argsz < info.argsz {
        return (info, Vec::new());
    }
    info.cap_offset = size_as_u32(size_of::<RegionInfo>());
    (info, capabilities)
}

fn size_as_u32(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
