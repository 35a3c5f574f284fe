// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The client's memory: mapping and unmapping.

use std::os::fd::OwnedFd;

use ims_vfio::dma::{Access, Map};
use rustix::io::Errno;
use zerocopy::IntoBytes;

use super::{Client, Closing, Shared};
use crate::layout::{DmaMap, DmaUnmap, Header, dma_map, dma_unmap};
use crate::replies::Replies;

impl Client {
    pub(super) fn map(
        &self,
        shared: &Shared,
        replies: &mut Replies,
        header: &Header,
        asked: DmaMap,
        fds: Vec<OwnedFd>,
    ) {
        match self.try_map(shared, asked, fds) {
            Ok(()) => replies.put(header, &[]),
            Err(errno) => replies.refuse(header, errno),
        }
    }

    fn try_map(&self, shared: &Shared, asked: DmaMap, fds: Vec<OwnedFd>) -> Result<(), Errno> {
        let dma = &self.endpoint.function().dma;
        if dma.maps() >= shared.limits.dma_maps {
            return Err(Errno::NOSPC);
        }
        let access = Access {
            read: asked.flags & dma_map::READ != 0,
            write: asked.flags & dma_map::WRITE != 0,
        };
        let memory = match fds.into_iter().next() {
            None => None,
            Some(fd) => {
                let backing = shared
                    .files
                    .backing(fd, asked.offset, asked.size, access)
                    .inspect_err(|error| tracing::debug!(%error, "memory not mapped"))
                    .map_err(|error| error.errno())?;
                Some(backing)
            }
        };
        let map = Map {
            address: asked.address,
            size: asked.size,
            access,
            memory,
        };
        dma.map(map).map_err(|error| error.errno())
    }

    pub(super) fn unmap(
        &mut self,
        shared: &Shared,
        replies: &mut Replies,
        header: &Header,
        asked: DmaUnmap,
    ) -> Result<(), Closing> {
        let dma = self.endpoint.function().dma.clone();
        let body = asked.as_bytes().to_vec();
        if asked.flags & dma_unmap::ALL != 0 {
            return self.when_quiet(shared, replies, header, body, |hold| {
                dma.unmap_all(hold);
                Ok(())
            });
        }
        self.when_quiet(shared, replies, header, body, |hold| {
            dma.unmap(asked.address, asked.size, hold)
                .map_err(|error| error.errno())
        })
    }
}
