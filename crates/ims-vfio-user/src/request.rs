// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reading a command: bytes in, a [`Request`] or a [`Refusal`] out. No state, no
//! descriptor, no device.

use ims_vfio::layout::{irq, irq_set};
use rustix::io::Errno;
use zerocopy::{FromBytes, Immutable, KnownLayout};

use crate::layout::{
    DeviceFeature, DeviceInfo, DmaMap, DmaUnmap, Header, IoFds, IrqInfo, RegionAccess, RegionInfo,
    SetIrqs, SmallWrite, Version, command, dma_map, dma_unmap, feature,
};

/// A command that has the form the specification gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// Agree on a version; JSON text.
    Version(Version, &'a [u8]),
    /// Map memory, of a descriptor if there is one.
    DmaMap(DmaMap),
    /// Unmap one range, or all.
    DmaUnmap(DmaUnmap),
    /// Describe the device.
    DeviceInfo,
    /// Describe a region.
    RegionInfo(RegionInfo),
    /// Describe descriptors of a region.
    IoFds(IoFds),
    /// Describe an interrupt index.
    IrqInfo(IrqInfo),
    /// Set interrupts; bytes if it has some.
    SetIrqs(SetIrqs, &'a [u8]),
    /// Read a region.
    Read(RegionAccess),
    /// Write a region.
    Write(RegionAccess, &'a [u8]),
    /// Write regions.
    WriteMulti(&'a [u8]),
    /// Reset.
    Reset,
    /// Probe, get or set a feature.
    Feature(DeviceFeature),
    /// Migration data, either way.
    MigrationData,
}

/// A command that is answered with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal(pub Errno);

const INVALID: Refusal = Refusal(Errno::INVAL);

/// Reads the body of a command that came with `fds` descriptors.
///
/// # Errors
/// [`Refusal`], with the errno the client is told.
pub fn read<'a>(header: &Header, body: &'a [u8], fds: usize) -> Result<Request<'a>, Refusal> {
    let allowed = match header.command {
        command::DMA_MAP => 1,
        command::DEVICE_SET_IRQS => usize::MAX,
        _ => 0,
    };
    if fds > allowed {
        return Err(INVALID);
    }
    match header.command {
        command::VERSION => {
            let (version, text) = Version::read_from_prefix(body).map_err(|_| INVALID)?;
            Ok(Request::Version(version, text))
        }
        command::DMA_MAP => dma_map(body),
        command::DMA_UNMAP => dma_unmap(body),
        command::DEVICE_GET_INFO => {
            whole(body, |info: &DeviceInfo| info.argsz).map(|_| Request::DeviceInfo)
        }
        command::DEVICE_GET_REGION_INFO => {
            whole(body, |info: &RegionInfo| info.argsz).map(Request::RegionInfo)
        }
        command::DEVICE_GET_REGION_IO_FDS => {
            let fds: IoFds = whole(body, |fds: &IoFds| fds.argsz)?;
            if fds.flags != 0 || fds.count != 0 {
                return Err(INVALID);
            }
            Ok(Request::IoFds(fds))
        }
        command::DEVICE_GET_IRQ_INFO => {
            whole(body, |info: &IrqInfo| info.argsz).map(Request::IrqInfo)
        }
        command::DEVICE_SET_IRQS => set_irqs(body, fds),
        command::REGION_READ => exact::<RegionAccess>(body).map(Request::Read),
        command::REGION_WRITE => {
            let (access, data) = RegionAccess::read_from_prefix(body).map_err(|_| INVALID)?;
            if usize::try_from(access.count) != Ok(data.len()) {
                return Err(INVALID);
            }
            Ok(Request::Write(access, data))
        }
        command::REGION_WRITE_MULTI => write_multi(body),
        command::DEVICE_RESET if body.is_empty() => Ok(Request::Reset),
        command::DEVICE_FEATURE => {
            let (feature, _) = DeviceFeature::read_from_prefix(body).map_err(|_| INVALID)?;
            device_feature(feature)
        }
        command::MIG_DATA_READ | command::MIG_DATA_WRITE => Ok(Request::MigrationData),
        _ => Err(INVALID),
    }
}

/// A body that is exactly one structure.
fn exact<T: FromBytes + KnownLayout + Immutable>(body: &[u8]) -> Result<T, Refusal> {
    T::read_from_bytes(body).map_err(|_| INVALID)
}

/// A body that begins with a structure which says how large it, or its reply, is:
/// at least as large as the structure.
fn whole<T: FromBytes + KnownLayout + Immutable>(
    body: &[u8],
    argsz: impl Fn(&T) -> u32,
) -> Result<T, Refusal> {
    let (read, _) = T::read_from_prefix(body).map_err(|_| INVALID)?;
    let large = usize::try_from(argsz(&read)).is_ok_and(|size| size >= size_of::<T>());
    if large { Ok(read) } else { Err(INVALID) }
}

fn dma_map(body: &[u8]) -> Result<Request<'_>, Refusal> {
    let map: DmaMap = exact(body)?;
    let known = dma_map::READ | dma_map::WRITE | dma_map::MMAP | dma_map::FILE_IO;
    let large = usize::try_from(map.argsz).is_ok_and(|size| size >= size_of::<DmaMap>());
    if !large || map.flags & !known != 0 {
        return Err(INVALID);
    }
    Ok(Request::DmaMap(map))
}

fn dma_unmap(body: &[u8]) -> Result<Request<'_>, Refusal> {
    let unmap: DmaUnmap = whole(body, |unmap: &DmaUnmap| unmap.argsz)?;
    match unmap.flags {
        0 => Ok(Request::DmaUnmap(unmap)),
        dma_unmap::ALL if unmap.address == 0 && unmap.size == 0 => Ok(Request::DmaUnmap(unmap)),
        // Nobody here keeps a log of dirty pages.
        flags if flags & dma_unmap::DIRTY_BITMAP != 0 => Err(Refusal(Errno::NOTSUP)),
        _ => Err(INVALID),
    }
}

/// The rules by which the reference server refuses (libvfio-user, `lib/irq.c`), but
/// for those that need to know the device.
fn set_irqs(body: &[u8], fds: usize) -> Result<Request<'_>, Refusal> {
    let (set, bytes) = SetIrqs::read_from_prefix(body).map_err(|_| INVALID)?;
    let data_type = set.flags & irq_set::DATA_TYPES;
    let action = set.flags & irq_set::ACTIONS;
    let lone = matches!(set.index, irq::ERR | irq::REQ);
    let disables = set.flags == irq_set::DATA_NONE | irq_set::ACTION_TRIGGER;
    let expected = match data_type {
        irq_set::DATA_BOOL => usize::try_from(set.count).unwrap_or(usize::MAX),
        _ => 0,
    };
    let fits = set.argsz >= irq_set::HEADER
        && bytes.len() == expected
        && set.index < irq::COUNT
        && set.flags & !(irq_set::DATA_TYPES | irq_set::ACTIONS) == 0
        && action.is_power_of_two()
        && data_type.is_power_of_two()
        && !(lone && (action != irq_set::ACTION_TRIGGER || set.count > 1))
        && (set.count > 0 || (set.start == 0 && disables))
        && (fds == 0
            || (data_type == irq_set::DATA_EVENTFD && usize::try_from(set.count) == Ok(fds)));
    if fits {
        Ok(Request::SetIrqs(set, bytes))
    } else {
        Err(INVALID)
    }
}

fn write_multi(body: &[u8]) -> Result<Request<'_>, Refusal> {
    let (count, entries) = u64::read_from_prefix(body).map_err(|_| INVALID)?;
    let bytes = usize::try_from(count)
        .ok()
        .and_then(|count| count.checked_mul(size_of::<SmallWrite>()));
    if bytes != Some(entries.len()) {
        return Err(INVALID);
    }
    Ok(Request::WriteMulti(entries))
}

fn device_feature(asked: DeviceFeature) -> Result<Request<'static>, Refusal> {
    let known = feature::NUMBER | feature::GET | feature::SET | feature::PROBE;
    let ways = asked.flags & (feature::GET | feature::SET);
    let large = usize::try_from(asked.argsz).is_ok_and(|size| size >= size_of::<DeviceFeature>());
    // As the kernel has it: get and set together only as a probe.
    let sound = match asked.flags & feature::PROBE {
        0 => ways.is_power_of_two(),
        _ => true,
    };
    if large && asked.flags & !known == 0 && sound {
        Ok(Request::Feature(asked))
    } else {
        Err(INVALID)
    }
}

/// The small writes of a body, in order.
pub fn small_writes(entries: &[u8]) -> impl Iterator<Item = SmallWrite> + '_ {
    entries
        .chunks_exact(size_of::<SmallWrite>())
        .filter_map(|entry| SmallWrite::read_from_bytes(entry).ok())
}

#[cfg(test)]
mod tests;
