//! The text of a QR code in a photo. A photo comes from anybody on the network before the box is set up: its size is known before
//! its pixels are, and bounded.

use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageFormat, ImageReader, Limits};

/// Reads the first QR code of a PNG or JPEG picture; `None` if there is none that can be read.
pub fn text_in(picture: &[u8]) -> Option<String> {
    let whole = decode(picture)?.into_luma8();
    // Photos have more pixels than a code needs; a small one is read faster, and its noise is averaged out.
    SIDES.iter().find_map(|&side| read(&at_most(&whole, side)))
}

fn decode(picture: &[u8]) -> Option<DynamicImage> {
    let mut reader = ImageReader::new(Cursor::new(picture)).with_guessed_format().ok()?;
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)) {
        return None;
    }
    let mut limits = Limits::no_limits();
    (limits.max_image_width, limits.max_image_height) = (Some(SIDE_MAX), Some(SIDE_MAX));
    limits.max_alloc = Some(PIXEL_BYTES_MAX);
    reader.limits(limits);
    reader.decode().ok()
}

fn at_most(whole: &GrayImage, side: u32) -> GrayImage {
    let longest = whole.width().max(whole.height());
    if longest <= side {
        return whole.clone();
    }
    let scaled = |length: u32| (u64::from(length) * u64::from(side) / u64::from(longest)).max(1) as u32;
    image::imageops::thumbnail(whole, scaled(whole.width()), scaled(whole.height()))
}

fn read(picture: &GrayImage) -> Option<String> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let pixels = picture.as_raw();
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| pixels[y * width + x]);
    prepared.detect_grids().into_iter().find_map(|grid| Some(grid.decode().ok()?.1)).filter(|text| !text.is_empty())
}

/// Longest sides that are tried.
const SIDES: [u32; 3] = [1_000, 2_000, 700];

/// Pixels along one side: the camera of a good phone, and no bomb.
const SIDE_MAX: u32 = 8_192;

/// Bytes of all pixels: 48 megapixels in colour.
const PIXEL_BYTES_MAX: u64 = 160 * 1024 * 1024;

/// Bytes of a picture that is taken.
pub const PICTURE_BYTES_MAX: usize = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use fast_qr::{ECL, QRBuilder};

    use super::*;

    /// A photo of a code: grey, with a frame of table around it, as PNG.
    fn photo(text: &str, scale: u32) -> Vec<u8> {
        let code = QRBuilder::new(text).ecl(ECL::M).build().unwrap();
        let side = (code.size as u32 + 20) * scale;
        let picture = GrayImage::from_fn(side, side * 4 / 3, |x, y| {
            let module = |at: u32| (at / scale).checked_sub(10).filter(|&at| (at as usize) < code.size);
            let dark = match (module(x), module(y)) {
                (Some(column), Some(row)) => code[row as usize][column as usize].value(),
                _ => false,
            };
            image::Luma([if dark { 40 } else { 200 }])
        });
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_photo_of_a_token_is_its_text() {
        let token = crate::enrol::Token {
            store: stockroom_crdt::ids::StoreId(7),
            secret: [1; 16],
            root_cert: [0xa5; 32],
            root_key: [0x3c; 32],
        };
        let text = crate::enrol::Carried { token, hub: Some("hub.example.com:7402".into()) }.to_text();
        for scale in [4, 9, 30] {
            assert_eq!(text_in(&photo(&text, scale)).as_ref(), Some(&text), "{scale} pixels a module");
        }
    }

    #[test]
    fn what_is_no_picture_of_a_code_is_refused() {
        let whole = photo("x", 8);
        assert_eq!(text_in(&[]), None);
        assert_eq!(text_in(b"<svg></svg>"), None);
        assert_eq!(text_in(&whole[..whole.len() / 2]), None);
        let mut plain = Cursor::new(Vec::new());
        GrayImage::new(300, 300).write_to(&mut plain, ImageFormat::Png).unwrap();
        assert_eq!(text_in(&plain.into_inner()), None);
        let mut wide = Cursor::new(Vec::new());
        GrayImage::new(SIDE_MAX + 1, 2).write_to(&mut wide, ImageFormat::Png).unwrap();
        assert_eq!(text_in(&wide.into_inner()), None, "over the bound");
    }
}
