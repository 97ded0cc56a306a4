import Images

// As in EngineNames.swift, for the types of Images.

package typealias StoredImageSummary = ImageSummary
typealias StoredImageHistoryEntry = ImageHistoryEntry
typealias StoredImageDeletion = ImageDeletion
