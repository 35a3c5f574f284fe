// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reading and writing regions.

use ims_vfio::{Stop, Written};
use rustix::io::Errno;
use zerocopy::IntoBytes;

use super::{Client, Closing, Shared};
use crate::layout::{Header, RegionAccess};
use crate::replies::Replies;
use crate::request::small_writes;

impl Client {
    #[inline]
    pub(super) fn read(
        &self,
        shared: &Shared,
        replies: &mut Replies,
        header: &Header,
        access: RegionAccess,
    ) {
        if access.count > shared.limits.data_xfer_size {
            return replies.refuse(header, Errno::INVAL);
        }
        let length = usize::try_from(access.count).unwrap_or(usize::MAX);
        replies.fill(header, access.as_bytes(), length, |data| {
            self.endpoint
                .read(access.region, access.offset, data)
                .map_err(|error| error.errno())
        });
    }

    #[inline]
    pub(super) fn write(
        &mut self,
        shared: &Shared,
        replies: &mut Replies,
        header: &Header,
        access: RegionAccess,
        data: &[u8],
    ) -> Result<(), Closing> {
        if access.count > shared.limits.data_xfer_size {
            replies.refuse(header, Errno::INVAL);
            return Ok(());
        }
        match self.endpoint.write(access.region, access.offset, data) {
            Ok(Written::Done) => replies.put(header, &[access.as_bytes()]),
            Ok(Written::Stops(stop)) => {
                let body = access.as_bytes().to_vec();
                self.stops(shared, replies, header, body, &[stop])?;
            }
            Err(error) => replies.refuse(header, error.errno()),
        }
        Ok(())
    }

    /// Writes until one fails; the reply says how many were done.
    pub(super) fn write_multi(
        &mut self,
        shared: &Shared,
        replies: &mut Replies,
        header: &Header,
        entries: &[u8],
    ) -> Result<(), Closing> {
        let agreed = |agreed: &crate::version::Agreed| agreed.write_multiple;
        if !self.agreed.as_ref().is_some_and(agreed) {
            replies.refuse(header, Errno::INVAL);
            return Ok(());
        }
        let mut done = 0u64;
        let mut stops = Vec::new();
        for entry in small_writes(entries) {
            let length = usize::try_from(entry.count).unwrap_or(usize::MAX);
            let Some(data) = entry.data.get(..length) else {
                break;
            };
            match self.endpoint.write(entry.region, entry.offset, data) {
                Ok(Written::Done) => {}
                Ok(Written::Stops(stop)) => stops.push(stop),
                Err(_) => break,
            }
            done += 1;
        }
        if stops.is_empty() {
            replies.put(header, &[done.as_bytes()]);
            return Ok(());
        }
        let body = done.as_bytes().to_vec();
        self.stops(shared, replies, header, body, &stops)
    }

    /// Answers when what a write asked to stop has stopped.
    fn stops(
        &mut self,
        shared: &Shared,
        replies: &mut Replies,
        header: &Header,
        body: Vec<u8>,
        stops: &[Stop],
    ) -> Result<(), Closing> {
        let endpoint = self.endpoint.clone();
        self.when_quiet(shared, replies, header, body, |hold| {
            for stop in stops {
                endpoint.stop(*stop, hold.clone());
            }
            Ok(())
        })
    }
}
