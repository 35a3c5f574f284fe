// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Extended capabilities: what lies above the first 256 bytes of config space.

use super::ConfigError;
use super::image::{Image, put};
use super::layout::{EXTENDED_SIZE, dvsec, extended};

/// A designated vendor-specific extended capability (PCIe §7.9.6): registers whose
/// meaning the vendor named in it gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dvsec {
    /// Who says what it means; not always the vendor of the function.
    pub vendor: u16,
    /// Which of that vendor's.
    pub id: u16,
    /// Which revision of it, 4 bits.
    pub revision: u8,
    /// Its registers, from offset 0xa of the capability.
    pub bytes: Vec<u8>,
    /// The bits of them that software may write; as long as `bytes`.
    pub mask: Vec<u8>,
}

impl Dvsec {
    /// Its length with both headers.
    fn size(&self) -> Option<u16> {
        let body = u16::try_from(self.bytes.len()).ok()?;
        dvsec::BODY.checked_add(body)
    }

    fn put(&self, image: &mut Image, at: u16, size: u16) {
        let revision = u32::from(self.revision & 0xf) << dvsec::REVISION_SHIFT;
        let length = u32::from(size) << dvsec::LENGTH_SHIFT;
        let header = u32::from(self.vendor) | revision | length;
        let header_at = at.saturating_add(dvsec::HEADER);
        let id_at = at.saturating_add(dvsec::ID);
        let body_at = at.saturating_add(dvsec::BODY);
        put(&mut image.initial, header_at, &header.to_le_bytes());
        put(&mut image.initial, id_at, &self.id.to_le_bytes());
        put(&mut image.initial, body_at, &self.bytes);
        put(&mut image.writable, body_at, &self.mask);
    }
}

/// Puts the chain of extended capabilities into a config space of 4096 bytes.
pub(super) fn chain(
    capabilities: &[Dvsec],
    express: bool,
    image: &mut Image,
) -> Result<(), ConfigError> {
    if !capabilities.is_empty() && !express {
        return Err(ConfigError::NotExpress);
    }
    let mut at = extended::START;
    let mut rest = capabilities.iter().peekable();
    while let Some(capability) = rest.next() {
        if capability.bytes.len() != capability.mask.len() {
            return Err(ConfigError::Mask);
        }
        let size = capability.size().ok_or(ConfigError::ExtendedFull)?;
        let end = at.checked_add(size).filter(|end| *end <= EXTENDED_SIZE);
        let end = end.ok_or(ConfigError::ExtendedFull)?;
        // The next one begins at a multiple of four; its place has bits 1:0 clear.
        let next = end.saturating_add(3) & !3;
        let link = if rest.peek().is_some() { next } else { 0 };
        let header = u32::from(extended::DVSEC)
            | 1 << extended::VERSION_SHIFT
            | u32::from(link) << extended::NEXT_SHIFT;
        put(&mut image.initial, at, &header.to_le_bytes());
        capability.put(image, at, size);
        at = next;
    }
    Ok(())
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::{Config, ConfigBuilder, Identity};
    use super::*;

    fn dvsec(id: u16, bytes: &[u8], mask: &[u8]) -> Dvsec {
        Dvsec {
            vendor: 0x8086,
            id,
            revision: 1,
            bytes: bytes.to_vec(),
            mask: mask.to_vec(),
        }
    }

    fn base() -> ConfigBuilder {
        Config::builder(Identity::default()).pcie()
    }

    fn read32(config: &Config, offset: u64) -> u32 {
        let mut bytes = [0; 4];
        config.read(offset, &mut bytes);
        u32::from_le_bytes(bytes)
    }

    #[test]
    fn a_walk_finds_each_capability_and_ends() {
        let config = base()
            .dvsec(dvsec(5, &[1; 14], &[0; 14]))
            .dvsec(dvsec(6, &[2; 5], &[0; 5]))
            .dvsec(dvsec(7, &[], &[]))
            .build()
            .unwrap();
        let mut found = Vec::new();
        let mut at = 0x100;
        while at != 0 {
            let header = read32(&config, at);
            assert_eq!(header & 0xf_ffff, 0x1_0023);
            let length = read32(&config, at + 4) >> 20;
            assert_eq!(read32(&config, at + 4) & 0xf_ffff, 0x1_8086);
            found.push((at, read32(&config, at + 8) & 0xffff, length));
            at = u64::from(header >> 20);
        }
        assert_eq!(found, [(0x100, 5, 0x18), (0x118, 6, 0xf), (0x128, 7, 0xa)]);
    }

    #[test]
    fn only_the_bits_of_the_mask_are_written_and_a_reset_takes_them_back() {
        let config = base()
            .dvsec(dvsec(5, &[0x0f, 0], &[0xf0, 0]))
            .build()
            .unwrap();
        let _ = config.write(0x100, &[0xff; 16]);
        assert_eq!(read32(&config, 0x100), 0x1_0023);
        assert_eq!(read32(&config, 0x108), 0x00ff_0005);
        config.reset();
        assert_eq!(read32(&config, 0x108), 0x000f_0005);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let plain = Config::builder(Identity::default()).dvsec(dvsec(5, &[], &[]));
        assert_eq!(plain.build().unwrap_err(), ConfigError::NotExpress);
        let short = base().dvsec(dvsec(5, &[0; 2], &[0]));
        assert_eq!(short.build().unwrap_err(), ConfigError::Mask);
        let fits = vec![0; 0xf00 - 0xa];
        assert!(base().dvsec(dvsec(5, &fits, &fits)).build().is_ok());
        let second = base()
            .dvsec(dvsec(5, &fits, &fits))
            .dvsec(dvsec(6, &[], &[]));
        assert_eq!(second.build().unwrap_err(), ConfigError::ExtendedFull);
        let long = vec![0; 70_000];
        let long = base().dvsec(dvsec(5, &long, &long));
        assert_eq!(long.build().unwrap_err(), ConfigError::ExtendedFull);
    }
}
