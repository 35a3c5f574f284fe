// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a cookie says to a store that prepares a slot.

use super::StoreError;
use super::layout::{PASID_BITS, PASID_ENABLE, PASID_SHIFT};

/// Given with each interrupt at its allocation, opaque to the core: a PASID, a
/// queue's id, a pointer-sized value. Only the store reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Cookie(pub u64);

/// A process address space id, 20 bits (PCIe 6.20).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pasid(u32);

impl Pasid {
    /// The PASID with this number, if it has at most 20 bits.
    pub const fn new(number: u32) -> Option<Self> {
        if number >> PASID_BITS == 0 {
            Some(Self(number))
        } else {
            None
        }
    }

    /// Its number.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl From<Pasid> for Cookie {
    fn from(pasid: Pasid) -> Self {
        Self(pasid.0.into())
    }
}

/// How a store reads cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CookieUse {
    /// Not at all: any submitter may name any slot.
    #[default]
    Opaque,
    /// As the PASID of the only submitter that may name the slot.
    Pasid,
}

impl CookieUse {
    /// The control bits that a slot with this cookie gets.
    ///
    /// # Errors
    /// [`StoreError::NotAPasid`] if it should be a PASID and is none.
    pub fn control(self, cookie: Cookie) -> Result<u32, StoreError> {
        match self {
            Self::Opaque => Ok(0),
            Self::Pasid => u32::try_from(cookie.0)
                .ok()
                .and_then(Pasid::new)
                .map(|pasid| PASID_ENABLE | pasid.0 << PASID_SHIFT)
                .ok_or(StoreError::NotAPasid { cookie: cookie.0 }),
        }
    }
}
