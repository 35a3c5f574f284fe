// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Requests: what they ask, and how they end. Source: virtio 1.3, 5.2.6.

use std::io;
use std::ops::DerefMut;

use vm_memory::{GuestMemory, Permissions, ReadVolatile, WriteVolatile};

use super::disk::Place;
use crate::layout::block::{SECTOR, feature, request, status};
use crate::queues::{Chain, Job, Outcome, Spans, Unreachable, Work};

/// The most bytes that are moved before it is asked whether anybody waits for them.
const PIECE: u32 = 1 << 20;

/// What all requests of a disk have in common.
pub(super) struct Requests {
    sectors: u64,
    read_only: bool,
    id: [u8; request::ID_BYTES],
}

/// Why a request ends with another status than OK.
enum Failure {
    /// The device does not do that.
    Unsupported,
    /// The request is not one, asks for what is not there, or the file failed.
    Error,
    /// Some of its buffers are not in memory.
    Unreachable,
}

impl From<Unreachable> for Failure {
    fn from(_: Unreachable) -> Self {
        Self::Unreachable
    }
}

impl From<vm_memory::GuestMemoryError> for Failure {
    fn from(_: vm_memory::GuestMemoryError) -> Self {
        Self::Unreachable
    }
}

/// One request.
struct Request<'a, G> {
    memory: &'a G,
    job: Job<'a>,
    place: &'a Place,
    kind: u32,
    sector: u64,
    /// What the driver wrote, behind the header.
    out: &'a Spans,
    out_bytes: u64,
    /// Where the answer goes, and how much before the status.
    answer: &'a Spans,
    answer_bytes: u64,
    /// How much of the answer is there.
    filled: u64,
}

impl Requests {
    pub(super) fn new(sectors: u64, read_only: bool, id: &str) -> Self {
        let mut bytes = [0; request::ID_BYTES];
        bytes
            .iter_mut()
            .zip(id.bytes())
            .for_each(|(byte, id)| *byte = id);
        Self {
            sectors,
            read_only,
            id: bytes,
        }
    }

    /// Where `bytes` from `sector` on begin in the file, if all are there.
    fn range(&self, sector: u64, bytes: u64) -> Result<u64, Failure> {
        let sectors = bytes / u64::from(SECTOR);
        let end = sector.checked_add(sectors).ok_or(Failure::Error)?;
        if !bytes.is_multiple_of(SECTOR.into()) || end > self.sectors {
            return Err(Failure::Error);
        }
        sector.checked_mul(SECTOR.into()).ok_or(Failure::Error)
    }

    fn run<G: GuestMemory>(&self, request: &mut Request<'_, G>) -> Result<(), Failure> {
        // What has data both ways, or the wrong one, is none of these.
        let (reads, writes) = (request.answer_bytes > 0, request.out_bytes > 0);
        match request.kind {
            request::IN if writes => Err(Failure::Error),
            request::OUT if reads => Err(Failure::Error),
            request::IN => {
                let offset = self.range(request.sector, request.answer_bytes)?;
                request.read(offset)
            }
            request::OUT if self.read_only => Err(Failure::Error),
            request::OUT => {
                let offset = self.range(request.sector, request.out_bytes)?;
                request.write(offset)
            }
            request::FLUSH => request.sync(),
            request::GET_ID => request.say(&self.id),
            _ => Err(Failure::Unsupported),
        }
    }
}

impl<G: GuestMemory> Request<'_, G> {
    fn read(&mut self, offset: u64) -> Result<(), Failure> {
        let mut file = self.place.at(offset).map_err(failed)?;
        for (address, length) in self.answer.cut(0, self.answer_bytes, PIECE) {
            self.go_on()?;
            let slices = self
                .memory
                .get_slices(address, length as usize, Permissions::Write)?;
            for slice in slices {
                let mut slice = slice?;
                file.deref_mut()
                    .read_exact_volatile(&mut slice)
                    .map_err(volatile)?;
                self.filled = self.filled.saturating_add(slice.len() as u64);
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64) -> Result<(), Failure> {
        let mut file = self.place.at(offset).map_err(failed)?;
        let header = request::BYTES as u64;
        for (address, length) in self.out.cut(header, self.out_bytes, PIECE) {
            self.go_on()?;
            let slices = self
                .memory
                .get_slices(address, length as usize, Permissions::Read)?;
            for slice in slices {
                file.deref_mut()
                    .write_all_volatile(&slice?)
                    .map_err(volatile)?;
            }
        }
        if self.job.features & feature::FLUSH == 0 {
            // The driver has no way to ask for it. Source: 5.2.6.2.
            file.sync_data().map_err(failed)?;
        }
        Ok(())
    }

    /// All that was written before is in the file's page cache, whoever wrote it.
    fn sync(&self) -> Result<(), Failure> {
        self.place.file().sync_data().map_err(failed)
    }

    fn say(&mut self, id: &[u8; request::ID_BYTES]) -> Result<(), Failure> {
        let room = usize::try_from(self.answer_bytes).unwrap_or(usize::MAX);
        let said = id.get(..room.min(id.len())).unwrap_or(id);
        self.answer.write(self.memory, 0, said)?;
        self.filled = said.len() as u64;
        Ok(())
    }

    /// Nobody waits for it after a stop; how it ends is not told.
    fn go_on(&self) -> Result<(), Failure> {
        if self.job.is_over() {
            Err(Failure::Error)
        } else {
            Ok(())
        }
    }
}

/// The file failed.
fn failed(error: io::Error) -> Failure {
    tracing::warn!(%error, "a request failed in its file");
    Failure::Error
}

/// The file failed, or memory that was there has gone.
fn volatile(error: vm_memory::VolatileMemoryError) -> Failure {
    match error {
        vm_memory::VolatileMemoryError::IOError(error) if !is_fault(&error) => failed(error),
        _ => Failure::Unreachable,
    }
}

/// Memory that is mapped and has lost what is behind it: a file that its owner cut.
fn is_fault(error: &io::Error) -> bool {
    rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::FAULT)
}

impl Work for Requests {
    type Tool = Place;

    fn work<G: GuestMemory>(
        &self,
        place: &mut Place,
        job: Job<'_>,
        memory: &G,
        chain: &Chain,
    ) -> Outcome {
        let nothing = Outcome {
            written: 0,
            unreachable: false,
        };
        // Without an end there is no last byte, and nothing to answer in.
        let status_at = chain.writable.bytes().checked_sub(1);
        let Some(status_at) = status_at.filter(|_| chain.is_whole()) else {
            return nothing;
        };
        let mut header = [0; request::BYTES];
        let (ended, filled) = match self.header(memory, chain, &mut header) {
            Ok(()) => {
                let mut request = Request {
                    memory,
                    job,
                    place,
                    kind: field(&header, request::KIND),
                    sector: field64(&header, request::SECTOR),
                    out: &chain.readable,
                    out_bytes: chain.readable.bytes().saturating_sub(header.len() as u64),
                    answer: &chain.writable,
                    answer_bytes: status_at,
                    filled: 0,
                };
                (self.run(&mut request), request.filled)
            }
            Err(failure) => (Err(failure), 0),
        };
        let (status, unreachable) = match ended {
            Ok(()) => (status::OK, false),
            Err(Failure::Unsupported) => (status::UNSUPP, false),
            Err(Failure::Error) => (status::IOERR, false),
            Err(Failure::Unreachable) => (status::IOERR, true),
        };
        let told = chain.writable.write(memory, status_at, &[status]);
        // The status counts only if there is no hole before it. Source: 2.7.8.2.
        let whole = told.is_ok() && filled == status_at;
        Outcome {
            written: u32::try_from(filled.saturating_add(whole.into())).unwrap_or(u32::MAX),
            unreachable: unreachable || told.is_err(),
        }
    }
}

impl Requests {
    fn header<G: GuestMemory>(
        &self,
        memory: &G,
        chain: &Chain,
        header: &mut [u8],
    ) -> Result<(), Failure> {
        if chain.readable.bytes() < header.len() as u64 {
            return Err(Failure::Error);
        }
        Ok(chain.readable.read(memory, 0, header)?)
    }
}

fn field(header: &[u8; request::BYTES], at: usize) -> u32 {
    let bytes = header.get(at..).and_then(|bytes| bytes.first_chunk());
    u32::from_le_bytes(bytes.copied().unwrap_or_default())
}

fn field64(header: &[u8; request::BYTES], at: usize) -> u64 {
    let bytes = header.get(at..).and_then(|bytes| bytes.first_chunk());
    u64::from_le_bytes(bytes.copied().unwrap_or_default())
}
