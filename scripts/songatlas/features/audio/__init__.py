"""Log-mel spectrograms, MFCC and descriptors of decoded sound."""
