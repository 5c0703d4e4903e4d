/** Pictures from a phone's camera, made small enough for a weak network. */

export const LONGEST_SIDE = 1600
const QUALITY = 0.82

/** Width and height of a picture whose longer side is at most `longest`. Never enlarges. */
export function fitted(width, height, longest = LONGEST_SIDE) {
  const scale = Math.min(1, longest / Math.max(width, height))
  return {width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale))}
}

/** A JPEG of the file, turned upright, without its metadata (place, device). Rejects what is no picture. */
export async function smaller(file) {
  const picture = await createImageBitmap(file, {imageOrientation: 'from-image'})
  const {width, height} = fitted(picture.width, picture.height)
  const canvas = Object.assign(document.createElement('canvas'), {width, height})
  canvas.getContext('2d').drawImage(picture, 0, 0, width, height)
  picture.close()
  return new Promise((resolve, reject) =>
    canvas.toBlob(blob => (blob ? resolve(blob) : reject(new Error('not a picture'))), 'image/jpeg', QUALITY))
}
