# image: media

video=testsrc=size=320x180:rate=25:duration=2 sound=sine=frequency=440:duration=2
ffmpeg -v error -f lavfi -i $video -f lavfi -i $sound -c:v libx264 -preset veryfast -threads 2 -c:a aac a.mp4 || echo "x264 $?"
ffprobe -v error -show_entries stream=codec_name,width,nb_frames -of csv a.mp4
ffmpeg -v error -i a.mp4 -c:v libvpx -deadline realtime -b:v 300k -threads 2 -c:a libopus b.webm || echo "vpx $?"
ffmpeg -v error -i a.mp4 -vf scale=160:-1 -frames:v 1 f.png
# Two processes, one pipe.
ffmpeg -v error -i a.mp4 -f rawvideo -pix_fmt rgb24 - | ffmpeg -v error -f rawvideo -pix_fmt rgb24 -s 320x180 -i - -f framemd5 - | tail -1 | cut -d, -f1-5
convert -size 400x300 gradient:red-blue -swirl 90 g.png
convert g.png -resize 200x -rotate 10 -quality 85 g.jpg
identify -format '%m %wx%h\n' g.png g.jpg f.png
convert g.png -blur 0x8 txt:- | md5sum
# Little memory, so that pixels are kept in a mapped file, then on disk.
convert -limit memory 1MiB -limit map 4MiB -size 1500x1500 gradient:red-blue -resize 50% big.png
convert -limit memory 1MiB -limit map 0 -size 800x800 gradient:red-blue -resize 50% disk.png
identify -format '%wx%h\n' big.png disk.png
montage g.png g.jpg m.png
mogrify -negate m.png
find . | sort
