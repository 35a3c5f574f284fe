// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What SET_IRQS must do, one rule after the other, without threads or descriptors.
//! Written from the behaviour of `vfio-pci` and of the IMS library, not from ours.

use std::collections::BTreeMap;

use ims_vfio::irqs::{Kind, Lines, SetIrqs};

pub const EINVAL: i32 = 22;
pub const ENOTTY: i32 = 25;
pub const ENOSPC: i32 = 28;

/// A descriptor as a client gives it, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fd {
    Minus,
    Good(usize),
    /// Not an eventfd.
    Bad,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    None,
    Bools(Vec<u8>),
    Fds(Vec<Fd>),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vector {
    pub fd: Option<usize>,
    pub awaiting: bool,
    pub owed: bool,
    pub declared: Option<Kind>,
    pub used: bool,
    pub cookie: Option<u64>,
    pub slot: Option<u32>,
    /// The slot that was revoked last, since it has its trigger.
    pub former: Option<u32>,
    /// Its slot keeps one pending.
    pub held: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    pub lines: Lines,
    pub library: bool,
    /// How many interrupts the host has.
    pub limit: u32,
    /// `Some(index)` of the one that is enabled.
    pub active: Option<u32>,
    pub msi_enabled: u32,
    /// By index 1 to 4; index 0 is the pin's.
    pub vectors: [Vec<Vector>; 5],
    pub asserted: bool,
    pub masked: bool,
    pub signalled: bool,
    pub unmask: Option<usize>,
    pub generation: u64,
    /// Signals each descriptor should have had.
    pub signals: BTreeMap<usize, u64>,
    /// Cookie each host index was asked for with.
    pub cookies: BTreeMap<u32, Option<u64>>,
}

impl Model {
    pub fn new(lines: Lines, limit: Option<u32>) -> Self {
        let counts = [
            u32::from(lines.intx),
            lines.msi,
            lines.msix,
            lines.err.into(),
            lines.req.into(),
        ];
        Self {
            lines,
            library: limit.is_some(),
            limit: limit.unwrap_or(0),
            active: None,
            msi_enabled: 0,
            vectors: counts.map(|count| vec![Vector::default(); count as usize]),
            asserted: false,
            masked: false,
            signalled: false,
            unmask: None,
            generation: 0,
            signals: BTreeMap::new(),
            cookies: BTreeMap::new(),
        }
    }

    pub fn kind(&self, vector: u32) -> Kind {
        let default = if self.library {
            Kind::Backed
        } else {
            Kind::Plain
        };
        self.vectors[2][vector as usize].declared.unwrap_or(default)
    }

    pub fn signal(&mut self, fd: Option<usize>) {
        if let Some(fd) = fd {
            *self.signals.entry(fd).or_default() += 1;
        }
    }

    /// The pin: signalled while asserted, not masked, not signalled.
    pub fn settle_pin(&mut self) {
        let Some(pin) = self.vectors[0].first() else {
            return;
        };
        if let Some(fd) = pin.fd
            && self.asserted
            && !self.masked
            && !self.signalled
        {
            self.signalled = true;
            self.signal(Some(fd));
        }
    }

    pub fn unmask_pin(&mut self) {
        (self.masked, self.signalled) = (false, false);
        self.settle_pin();
    }

    pub fn clear(&mut self, index: u32, vector: u32) {
        let one = &mut self.vectors[index as usize][vector as usize];
        (one.fd, one.awaiting, one.owed, one.held) = (None, false, false, false);
        one.former = None;
        if let Some(slot) = one.slot.take() {
            self.cookies.remove(&slot);
            self.generation += 1;
        }
    }

    pub fn clear_all(&mut self, index: u32) {
        for vector in 0..self.vectors[index as usize].len() {
            self.clear(index, vector as u32);
        }
    }

    pub fn disable(&mut self) {
        for index in 0..3 {
            self.clear_all(index);
        }
        (self.masked, self.signalled, self.unmask) = (false, false, None);
        self.active = None;
    }

    /// Takes the lowest free index of the host, the former one only if there is no other.
    pub fn alloc(&mut self, vector: u32) -> Result<u32, i32> {
        let one = &mut self.vectors[2][vector as usize];
        let mut free = (0..self.limit).filter(|slot| !self.cookies.contains_key(slot));
        let lowest = free.next().ok_or(ENOSPC)?;
        let other = free.next().filter(|_| one.former == Some(lowest));
        let slot = other.unwrap_or(lowest);
        one.slot = Some(slot);
        self.cookies.insert(slot, one.cookie);
        self.generation += 1;
        Ok(slot)
    }

    pub fn set_one(&mut self, index: u32, vector: u32, fd: Fd) -> Result<(), i32> {
        let id = match fd {
            Fd::Minus => {
                self.clear(index, vector);
                return Ok(());
            }
            // MSI does not grow.
            _ if index == 1 && vector >= self.msi_enabled => return Err(EINVAL),
            Fd::Bad => return Err(EINVAL),
            Fd::Good(id) => id,
        };
        let backed = index == 2 && self.kind(vector) == Kind::Backed;
        if backed && self.vectors[2][vector as usize].fd.is_none() {
            self.alloc(vector)?;
        }
        let one = &mut self.vectors[index as usize][vector as usize];
        one.used = true;
        one.fd = Some(id);
        one.awaiting = false;
        if std::mem::take(&mut one.owed) {
            self.signal(Some(id));
        }
        Ok(())
    }

    pub fn set(&mut self, header: &SetIrqs, data: &Data) -> i32 {
        match self.try_set(header, data) {
            Ok(()) => 0,
            Err(errno) => errno,
        }
    }

    fn try_set(&mut self, header: &SetIrqs, data: &Data) -> Result<(), i32> {
        let &SetIrqs {
            argsz,
            flags,
            index,
            start,
            count,
        } = header;
        if argsz < 20 || index >= 5 || u64::from(start) + u64::from(count) >= u64::from(u32::MAX) {
            return Err(EINVAL);
        }
        let have = self.vectors[index as usize].len() as u32;
        if flags & !0x3f != 0 || start >= have || start + count > have {
            return Err(EINVAL);
        }
        let (size, fits) = match (flags & 7, data) {
            (1, Data::None) => (0, true),
            (2, Data::Bools(bools)) => (1, bools.len() >= count as usize),
            (4, Data::Fds(fds)) => (4, fds.len() == count as usize),
            _ => return Err(EINVAL),
        };
        // Over a socket, descriptors are beside the structure.
        let beside = size == 4 && argsz == 20;
        if !fits || (argsz - 20 < count * size && !beside) {
            return Err(EINVAL);
        }
        match (index, flags & 0x38) {
            (0, 0x08) => self.pin_mask(count, data),
            (0, 0x10) => self.pin_unmask(count, data),
            (0, 0x20) => self.pin_trigger(count, data),
            (1 | 2, 0x20) => self.vectors(index, start, count, data),
            (3 | 4, 0x20) => self.single(index, count, data),
            _ => Err(ENOTTY),
        }
    }

    fn pin_mask(&mut self, count: u32, data: &Data) -> Result<(), i32> {
        if self.active != Some(0) || count != 1 {
            return Err(EINVAL);
        }
        match data {
            Data::Fds(_) => return Err(ENOTTY),
            Data::Bools(bools) if bools[0] == 0 => {}
            _ => self.masked = true,
        }
        Ok(())
    }

    fn pin_unmask(&mut self, count: u32, data: &Data) -> Result<(), i32> {
        if self.active != Some(0) || count != 1 {
            return Err(EINVAL);
        }
        match data {
            Data::Fds(fds) => {
                self.unmask = match fds[0] {
                    Fd::Bad => return Err(EINVAL),
                    Fd::Minus => None,
                    Fd::Good(id) => Some(id),
                }
            }
            Data::Bools(bools) if bools[0] == 0 => {}
            _ => self.unmask_pin(),
        }
        Ok(())
    }

    fn pin_trigger(&mut self, count: u32, data: &Data) -> Result<(), i32> {
        if self.active == Some(0) && count == 0 && *data == Data::None {
            self.disable();
            return Ok(());
        }
        if !matches!(self.active, None | Some(0)) || count != 1 {
            return Err(EINVAL);
        }
        match data {
            Data::Fds(fds) => {
                self.vectors[0][0].fd = None;
                let fd = match fds[0] {
                    Fd::Bad => return Err(EINVAL),
                    Fd::Minus => None,
                    Fd::Good(id) => Some(id),
                };
                if self.active.is_none() {
                    (self.masked, self.signalled) = (false, false);
                    self.active = Some(0);
                }
                self.vectors[0][0].fd = fd;
                self.settle_pin();
            }
            _ if self.active.is_none() => return Err(EINVAL),
            Data::Bools(bools) if bools[0] == 0 => {}
            _ => self.signal(self.vectors[0][0].fd),
        }
        Ok(())
    }

    fn vectors(&mut self, index: u32, start: u32, count: u32, data: &Data) -> Result<(), i32> {
        let active = self.active == Some(index);
        if self.active.is_some() && !active {
            return Err(EINVAL);
        }
        let library = self.library && index == 2;
        match data {
            Data::None if count == 0 && (active || library) => {
                self.clear_all(index);
                self.active = None;
            }
            Data::None | Data::Bools(_) => {
                if !active && !library {
                    return Err(EINVAL);
                }
                for at in 0..count {
                    let wanted = match data {
                        Data::Bools(bools) => bools[at as usize] != 0,
                        _ => true,
                    };
                    if wanted {
                        self.signal(self.vectors[index as usize][(start + at) as usize].fd);
                    }
                }
            }
            Data::Fds(fds) => {
                let before = self.active;
                if !active {
                    if count == 0 && library {
                        return Ok(());
                    }
                    if start + count == 0 {
                        return Err(EINVAL);
                    }
                    self.active = Some(index);
                    self.msi_enabled = start + count;
                }
                for (at, &fd) in fds.iter().enumerate() {
                    let vector = start + at as u32;
                    if let Err(errno) = self.set_one(index, vector, fd) {
                        for vector in start..=vector {
                            self.clear(index, vector);
                        }
                        if before.is_none() {
                            self.clear_all(index);
                        }
                        self.active = before;
                        return Err(errno);
                    }
                }
            }
        }
        Ok(())
    }

    fn single(&mut self, index: u32, count: u32, data: &Data) -> Result<(), i32> {
        let fd = self.vectors[index as usize][0].fd;
        match data {
            Data::None if fd.is_none() => return Err(EINVAL),
            Data::None if count == 0 => self.clear(index, 0),
            Data::None => self.signal(fd),
            _ if count == 0 => return Err(EINVAL),
            Data::Bools(bools) if bools[0] == 0 => {}
            Data::Bools(_) => self.signal(fd),
            Data::Fds(fds) => {
                if let Err(errno) = self.set_one(index, 0, fds[0]) {
                    self.clear(index, 0);
                    return Err(errno);
                }
            }
        }
        Ok(())
    }

    /// Every descriptor that may still be signalled, or listened to.
    pub fn in_use(&self) -> Vec<usize> {
        let vectors = self.vectors.iter().flatten();
        vectors
            .filter_map(|vector| vector.fd)
            .chain(self.unmask)
            .collect()
    }
}
