// SPDX-License-Identifier: Apache-2.0

// Counts the words of the file that started the function, and writes the ten that are most frequent.
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

func main() {
	text, err := os.ReadFile(os.Getenv("INPUT_FILE_PATH"))
	if err != nil {
		log.Fatal(err)
	}
	counts := map[string]int{}
	for _, word := range strings.Fields(strings.ToLower(string(text))) {
		counts[strings.Trim(word, ".,;:!?")]++
	}
	words := make([]string, 0, len(counts))
	for word := range counts {
		words = append(words, word)
	}
	sort.Slice(words, func(i, j int) bool {
		if counts[words[i]] != counts[words[j]] {
			return counts[words[i]] > counts[words[j]]
		}
		return words[i] < words[j]
	})
	out, err := os.Create(filepath.Join(os.Getenv("TMP_OUTPUT_DIR"), "words.txt"))
	if err != nil {
		log.Fatal(err)
	}
	for _, word := range words[:min(10, len(words))] {
		fmt.Fprintln(out, counts[word], word)
	}
	if err := out.Close(); err != nil {
		log.Fatal(err)
	}
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}
